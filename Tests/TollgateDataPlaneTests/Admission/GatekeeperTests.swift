import HTTPTypes
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import TollgateCore
import TollgateStore

@testable import TollgateDataPlane

/// The control plane's way in: the same flow, with `await`.
@Suite struct GatekeeperTests {
    private struct Bench {
        let fixture: AdmissionFixture
        let store = MemoryStore()
        let gatekeeper: Gatekeeper
        private let loop = NIOAsyncTestingEventLoop()

        /// Runs `body`, and what it has left to the event loop.
        static func run(_ body: (Bench) async throws -> Void) async throws {
            let bench = try Bench()
            do {
                try await body(bench)
                await bench.loop.advanceTime(by: .seconds(2))
            } catch {
                await bench.loop.advanceTime(by: .seconds(2))
                throw error
            }
        }

        private init() throws {
            let user = try #require(UserID("user_abc"))
            fixture = try AdmissionFixture(tokens: ["a.b.c": .success(Principal(userID: user))])
            let (store, time) = (store, ManualTime(AdmissionFixture.start))
            let reservations = ReservationKeeper(
                port: { _ in MemoryPort(store) }, time: time, monotonicMilliseconds: { time.now().milliseconds },
                eventLoopGroup: loop, metricsFactory: fixture.registry,
                metrics: GatewayMetrics(factory: fixture.registry), logger: fixture.log.logger)
            gatekeeper = Gatekeeper(admission: fixture.state, store: store, time: time, reservations: reservations)
        }

        /// What becomes of a request: what its work gives, or the code of its refusal.
        func serve(
            _ headers: HTTPFields, _ policy: AdmissionPolicy = .endpoint("usage"),
            _ work: @escaping () throws -> String = { "done" }
        ) async -> String {
            do throws(APIError) {
                return try await gatekeeper.serve(headers, policy, from: fixture.network) { _ in try work() }
            } catch {
                return error.code
            }
        }
    }

    private static let token: HTTPFields = [.authorization: "Bearer a.b.c"]

    @Test func whatSucceedsIsPaidFor() async throws {
        try await Bench.run { bench in
            #expect(await bench.serve(Self.token) == "done")
            #expect(bench.store.with { $0.count } == 1 && bench.store.with { $0.ended } == [.keep])
            #expect(await bench.serve(Self.token) { throw APIError.notFound } == "not-found")
            #expect(bench.store.with { $0.count } == 1 && bench.store.with { $0.ended } == [.keep, .giveBack])
            #expect(await bench.serve(Self.token, .endpoint("keys", cost: 0)) == "done")
            #expect(bench.store.with { $0.ended.count } == 2, "of what costs nothing, nothing is reserved")
        }
    }

    @Test func whoIsNotLetInIsNotServed() async throws {
        try await Bench.run { bench in
            let rows: [(HTTPFields, String)] = [
                ([:], "session-token-missing"), ([.authorization: "Bearer a.b.d"], "token-invalid-signature"),
                ([.xAPIKey: "sk_live_0"], "key-malformed"), ([.xAPIKey: try bench.fixture.key().text], "key-unknown"),
            ]
            for (headers, code) in rows {
                let answer = await bench.serve(headers) {
                    Issue.record("was served")
                    return ""
                }
                #expect(answer == code)
            }
            bench.store.with { $0.count = 5 }
            #expect(await bench.serve(Self.token) == "quota-exceeded")
            bench.store.with { $0.failure = .away }
            #expect(await bench.serve(Self.token) == "service-unavailable")
        }
    }

    @Test func theStoreIsAskedOnceMoreWhenClocksDiffer() async throws {
        try await Bench.run { bench in
            bench.store.with { $0.failure = .clockDiffers }
            #expect(await bench.serve(Self.token) == "service-unavailable")
            #expect(bench.store.with { $0.questions } == 2)
        }
    }

    @Test func limitsAreToldWhenTheyAreUsedUp() async throws {
        try await Bench.run { bench in
            bench.store.with { $0.count = 5 }
            let admitted = try await bench.gatekeeper.limits(Self.token, from: bench.fixture.network)
            #expect(admitted.usage.remaining == 0 && admitted.principal.userID == bench.fixture.user)
            #expect(bench.store.with { $0.count } == 5)
        }
    }

    @Test func keysFromANetworkThatGuessesAreNotLookedAt() async throws {
        try await Bench.run { bench in
            let guess: HTTPFields = [.xAPIKey: try bench.fixture.key().text]
            let basic: HTTPFields = [.authorization: "Basic c2tfbGl2ZV8wOg=="]
            func check(_ headers: HTTPFields) -> String? {
                do throws(APIError) {
                    try bench.gatekeeper.checkUnread(headers, from: bench.fixture.network)
                    return nil
                } catch {
                    return error.code
                }
            }
            for _ in 1...GuessLimiter.maximumFailures {
                #expect(check(guess) == nil)
                #expect(await bench.serve(guess) == "key-unknown")
            }
            #expect(check(guess) == "too-many-failed-keys" && check(basic) == "too-many-failed-keys")
            #expect(check(Self.token) == nil && check([:]) == nil)
            #expect(bench.fixture.failures("too-many-failed-keys") == 2)
        }
    }
}
