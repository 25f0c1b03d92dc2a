import Hiredis
import JSONValue
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A Redis as services run it: behind a proxy, with connections that are cut off, and with no room for more.
@Suite(.serialized, .timeLimit(.minutes(6)), .tags(.measuresTime)) struct ManagedRedisTests {
    private static let plans = "plans:\n  free: { quota: 1000000, ratePerMinute: 1000000 }\n"

    /// Neither a name for the connection nor facts of the server are needed.
    @Test func aProxyThatKnowsFewerCommandsWillDo() async throws {
        let relay = try await LossyRelay(unknownCommands: ["CLIENT", "INFO"])
        try await withObservedGateways(
            redisURL: { redis in
                relay.lead(to: redis.port)
                return "redis://127.0.0.1:\(relay.port)"
            }
        ) { gateways in
            for _ in 1...3 {
                let status = try await gateways.verify("user_abc")
                #expect(status == 200)
            }
            try await eventually("the worker is seen") { try await gateways.workers().count == 1 }
            let redis = try await gateways.overview()["redis"]
            let warning = redis["warnings"].elements?.first
            #expect(warning?["code"].string == "info-unavailable", "\(redis)")
            #expect(warning?["message"].string?.contains("unknown command") == true, "\(redis)")
        }
        try await relay.close()
    }

    @Test func anACLWithoutThemWillDo() async throws {
        try await withObservedGateways(
            redisURL: { redis in
                try await redis.tell("ACL SETUSER plain on >password ~* +@all -client -info -ping")
                return redis.url.replacing("redis://", with: "redis://plain:password@")
            }
        ) { gateways in
            let status = try await gateways.verify("user_abc")
            #expect(status == 200)
        }
    }

    /// Every connection is cut off while calls are in flight, several times. What was sent and not answered may have been
    /// counted, so the count lies between what was admitted and that and what failed; nothing else is lost.
    @Test func forcedDisconnectsLoseNoCount() async throws {
        try await withFleet(workers: 2, plans: Self.plans) { fleet in
            let token = try fleet.token("user_abc")
            for worker in fleet.workers { try await worker.serves(token, after: "the start") }
            let load = PacedLoad(ports: fleet.workers.map(\.port), token: token)
            try await load.run(clients: 8) {
                for _ in 1...4 {
                    try await load.goesOn(by: 50)
                    try await fleet.redis.tell("CLIENT KILL TYPE normal SKIPME yes")
                    for worker in fleet.workers { try await worker.serves(token, after: "a disconnect") }
                }
                try await load.goesOn(by: 50)
            }
            let outcome = load.outcome
            #expect(outcome.others.isEmpty, "\(outcome.others)")
            // Each client meets the gap until the next connection stands, and little more.
            #expect(outcome.longestGap < .seconds(1.5), "\(outcome.longestGap)")
            #expect(outcome.refused < outcome.admitted, "\(outcome)")
            let asked = load.asked
            try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                let counted = try #require(
                    try await redis.send("HGET usage:{user_abc} usageCount").string.flatMap { Int($0) })
                // Those that were made here to see whether there is service are among them.
                #expect(counted >= outcome.admitted, "\(counted) of \(outcome)")
                #expect(counted <= asked + 200, "\(counted) of \(outcome)")
            }
        }
    }

    @Test func aServerThatIsFullServesWhenItHasRoom() async throws {
        try await withFleet { fleet in
            let (worker, redis) = (fleet.workers[0], fleet.redis)
            let token = try fleet.token("user_abc", plan: "paid")
            try await worker.serves(token, after: "the start")
            let keeper = try await RawClient.connect(port: redis.port)
            try await keeper.send("CONFIG SET maxclients 1\r\nCLIENT KILL TYPE normal SKIPME yes\r\n")
            try await keeper.waits(for: "\r\n:")
            try await eventually("the worker finds no room") {
                let ready = try await HTTP.get("/readyz", port: worker.adminPort)
                return ready.status == 503
            }
            let refused = try await HTTP.verify(token, port: worker.port)
            #expect(refused.status == 503)
            try await keeper.send("CONFIG SET maxclients 1000\r\n")
            try await worker.serves(token, after: "there is room")
            try await keeper.close()
        }
    }
}

/// Clients that call every 10 ms, and note how long they were refused at a stretch.
private final class PacedLoad: Sendable {
    struct Outcome {
        var admitted = 0
        var refused = 0
        var others: [Int] = []
        var longestGap = Duration.zero
    }

    private let ports: [Int]
    private let token: String
    private let state = Mutex((outcome: Outcome(), isStopped: false))

    init(ports: [Int], token: String) { (self.ports, self.token) = (ports, token) }

    var outcome: Outcome { state.withLock(\.outcome) }
    var asked: Int { state.withLock { $0.outcome.admitted + $0.outcome.refused } }

    func run(clients: Int, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<clients {
                group.addTask { try await self.call(port: self.ports[number % self.ports.count]) }
            }
            defer { state.withLock { $0.isStopped = true } }
            try await body()
        }
    }

    private func call(port: Int) async throws {
        var gapBegan: ContinuousClock.Instant?
        while !state.withLock(\.isStopped) {
            let status = try await HTTP.verify(token, port: port).status
            let now = ContinuousClock.now
            if status == 503 { gapBegan = gapBegan ?? now } else { gapBegan = nil }
            state.withLock { state in
                switch status {
                case 200: state.outcome.admitted += 1
                case 503: state.outcome.refused += 1
                default: state.outcome.others.append(status)
                }
                if let gapBegan { state.outcome.longestGap = max(state.outcome.longestGap, now - gapBegan) }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func goesOn(by calls: Int) async throws {
        let before = outcome.admitted
        try await eventually("calls go on") { self.outcome.admitted > before + calls }
    }
}
