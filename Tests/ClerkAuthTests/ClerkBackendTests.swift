import AsyncHTTPClient
import ClerkAuth
import JSONValue
import Logging
import NIOHTTP1
import OutboundCalls
import TestSupport
import Testing
import TollgateCore
import TollgateDev

@Suite struct ClerkBackendTests {
    private static let key = "sk_test_backend"

    private func withBackend(
        key: String = key, timeLimits: CallTimeLimits = ClerkBackend.timeLimits,
        _ body: (ClerkBackend, ClerkAPIStandIn) async throws -> Void
    ) async throws {
        let identity = try DevelopmentIdentity.shared()
        var configuration = ClerkAPIStandIn.Configuration()
        configuration.secretKey = Self.key
        try await withRunning { onRunning in
            ClerkAPIStandIn(
                configuration: configuration, identity: identity, time: ManualTime(UnixTime(seconds: 0)),
                logger: .silent, onRunning: { onRunning($0) })
        } _: { clerk, url in
            try await body(
                ClerkBackend(
                    apiURL: url, secretKey: key, httpClient: .shared, logger: .silent, timeLimits: timeLimits),
                clerk)
        }
    }

    private func user(_ name: String = "user_abc") throws -> UserID { try #require(UserID(name)) }

    @Test func metadataIsMerged() async throws {
        try await withBackend { backend, clerk in
            let user = try user()
            clerk.addUser(id: "user_abc", publicMetadata: ["role": "editor", "plan": "free"])
            let paid = BillingMetadata(plan: "paid", stripeCustomerId: "cus_1", subscriptionId: "sub_1")
            #expect(try await backend.merge(paid, into: user))
            #expect(
                clerk.publicMetadata(of: "user_abc") == [
                    "role": "editor", "plan": "paid", "stripeCustomerId": "cus_1", "subscriptionId": "sub_1",
                ])
            #expect(try await backend.merge(BillingMetadata(plan: "free"), into: user))
            #expect(clerk.publicMetadata(of: "user_abc")?["plan"] == "free")
            #expect(clerk.publicMetadata(of: "user_abc")?["stripeCustomerId"] == "cus_1", "nil leaves alone")
        }
    }

    @Test(arguments: ["auth0|abc", "a.b+c@example.com", "o:1=2"])
    func idsOfOtherProvidersAreEncoded(name: String) async throws {
        try await withBackend { backend, clerk in
            let user = try user(name)
            #expect(try await backend.merge(BillingMetadata(plan: "paid"), into: user))
            #expect(clerk.publicMetadata(of: name)?["plan"] == "paid")
        }
    }

    @Test func usersThatAreGoneAreNoError() async throws {
        try await withBackend { backend, clerk in
            let user = try user()
            clerk.deleteUser(id: "user_abc")
            #expect(try await !backend.merge(BillingMetadata(plan: "paid"), into: user))
        }
    }

    @Test(
        .tags(.measuresTime),
        arguments: [Fault.status(500), .status(429), .html(503), .status(429, retryAfterSeconds: 1)])
    func passingFaultsAreGotPast(fault: Fault) async throws {
        try await withBackend { backend, clerk in
            let user = try user()
            clerk.faults.inject(fault, times: 2)
            let (isKnown, duration) = try await timed {
                try await backend.merge(BillingMetadata(plan: "paid"), into: user)
            }
            #expect(isKnown)
            if case .status(_, retryAfterSeconds: 1) = fault { #expect(duration >= .seconds(2)) }
        }
    }

    @Test(
        .tags(.measuresTime),
        arguments: [
            (Fault.status(500), CallError.Kind.refused), (.status(429, retryAfterSeconds: 30), .refused),
            (.status(422), .refused), (.html(502), .unintelligible), (.stall(.seconds(20)), .timedOut),
        ])
    func lastingFaultsEndWithinTheTimeLimit(fault: Fault, kind: CallError.Kind) async throws {
        let limits = CallTimeLimits(call: .seconds(1), attempt: .milliseconds(400))
        try await withBackend(timeLimits: limits) { backend, clerk in
            clerk.faults.inject(fault, times: 10)
            let user = try user()
            let (error, duration) = await timed {
                await #expect(throws: CallError.self) {
                    try await backend.merge(BillingMetadata(plan: "paid"), into: user)
                }
            }
            #expect(error?.kind == kind)
            #expect(duration < .seconds(2))
        }
    }

    @Test func theKeyIsNeverTold() async throws {
        try await withBackend(key: "sk_test_wrong") { backend, _ in
            let user = try user()
            let error = await #expect(throws: CallError.self) {
                try await backend.merge(BillingMetadata(plan: "paid"), into: user)
            }
            #expect(error?.httpStatus == 401)
            #expect(error?.code == "clerk_key_invalid")
            var dumped = ""
            dump(backend, to: &dumped)
            for text in ["\(String(describing: error))", "\(backend)", dumped] {
                #expect(!text.contains("sk_test_wrong"))
            }
        }
    }

    @Test func onlyWhatMayPassIsTriedAgain() {
        func delay(_ status: Int?, after retries: Int = 0, retryAfter: String? = nil) -> Duration? {
            let headers = HTTPHeaders(retryAfter.map { [("Retry-After", $0)] } ?? [])
            let answer = status.map { ClerkAnswer(status: $0, headers: headers, body: []) }
            return ClerkRetryPolicy.delay(afterRetries: retries, answer: answer, jitter: 1)
        }
        for status in [nil, 429, 500, 502, 503] {
            #expect(delay(status) == .milliseconds(200))
            #expect(delay(status, after: 1) == .milliseconds(400))
            #expect(delay(status, after: 2) == nil)
        }
        for status in [400, 401, 403, 404, 422] { #expect(delay(status) == nil) }
        #expect(delay(429, retryAfter: "7") == .seconds(7))
    }
}
