import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// Whose plan counts, as the script sees it. What each case means stands in PlanResolutionTests.
@Suite struct AdmissionPlanTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)

    private struct Gateway {
        let admissions: RedisAdmissionStore
        let subscriptions: RedisSubscriptionStore
        let user: UserID

        /// The plan that an admission applies, `seconds` after the beginning.
        func plan(after seconds: Int64, claimed: String? = nil, issuedAfter: Int64? = nil) async throws -> String {
            let principal = Principal(
                userID: user, claimedPlan: claimed, issuedAt: issuedAfter.map { time.adding(seconds: $0) })
            let request = AdmissionRequest(principal: principal, time: time.adding(seconds: seconds), cost: 0)
            return try await admissions.admit(request).usage.plan
        }

        /// An event, received a second after it was made.
        func bill(_ status: SubscriptionStatus, after seconds: Int64) async throws {
            let update = SubscriptionUpdate(
                userID: user, plan: "paid", status: status, subscriptionID: "sub_1",
                eventTime: time.adding(seconds: seconds), eventID: "evt_\(seconds)")
            _ = try await subscriptions.apply(update, at: time.adding(seconds: seconds + 1))
        }
    }

    private func withGateway(pastDueGraceSeconds: Int64, _ body: (Gateway) async throws -> Void) async throws {
        let user = try #require(UserID("user_abc"))
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                let admissions = RedisAdmissionStore(
                    client: client, plans: .standard, pastDueGraceSeconds: pastDueGraceSeconds)
                try await body(
                    Gateway(admissions: admissions, subscriptions: RedisSubscriptionStore(client: client), user: user))
            }
        }
    }

    @Test func purchasesAndCancellationsCountAtOnce() async throws {
        try await withGateway(pastDueGraceSeconds: 0) { gateway in
            #expect(try await gateway.plan(after: 0, claimed: "free", issuedAfter: 0) == "free")
            try await gateway.bill(.active, after: 10)
            #expect(try await gateway.plan(after: 11, claimed: "free", issuedAfter: 0) == "paid", "with an old token")
            #expect(try await gateway.plan(after: 11, claimed: "free", issuedAfter: 40) == "paid", "Clerk is behind")
            try await gateway.bill(.canceled, after: 100)
            #expect(try await gateway.plan(after: 101, claimed: "paid", issuedAfter: 99) == "free", "with an old token")
            #expect(try await gateway.plan(after: 101) == "free", "whatever was last seen")
        }
    }

    @Test func tokensCountAgainOnceClerkKnows() async throws {
        try await withGateway(pastDueGraceSeconds: 0) { gateway in
            try await gateway.bill(.unpaid, after: 5)
            #expect(try await gateway.plan(after: 9, claimed: "paid", issuedAfter: 8) == "free", "Clerk is behind")
            try await gateway.bill(.canceled, after: 10)
            try await gateway.subscriptions.endClerkUpdate(
                of: gateway.user, token: "a", toldOf: "evt_10", at: Self.time.adding(seconds: 20))
            #expect(try await gateway.plan(after: 30, claimed: "paid", issuedAfter: 20) == "free")
            #expect(try await gateway.plan(after: 30, claimed: "paid", issuedAfter: 21) == "paid", "given by hand")
            try await gateway.bill(.active, after: 40)
            #expect(try await gateway.plan(after: 50, claimed: "paid", issuedAfter: 49) == "paid", "ties wait")
            try await gateway.bill(.canceled, after: 60)
            #expect(try await gateway.plan(after: 70, claimed: "paid", issuedAfter: 59) == "free")
            #expect(try await gateway.plan(after: 70, claimed: "paid", issuedAfter: 69) == "paid", "Clerk knew already")
        }
    }

    @Test func customersInArrearsHaveTheirGrace() async throws {
        try await withGateway(pastDueGraceSeconds: 100) { gateway in
            try await gateway.bill(.active, after: 0)
            try await gateway.bill(.pastDue, after: 1000)
            try await gateway.bill(.pastDue, after: 1050)
            #expect(try await gateway.plan(after: 1099) == "paid")
            #expect(try await gateway.plan(after: 1100) == "free", "since the first failure")
            try await gateway.subscriptions.endClerkUpdate(
                of: gateway.user, token: "a", toldOf: "evt_1050", at: Self.time.adding(seconds: 1060))
            #expect(try await gateway.plan(after: 1100, claimed: "paid", issuedAfter: 1099) == "free")
            try await gateway.bill(.active, after: 1200)
            #expect(try await gateway.plan(after: 1201) == "paid")
        }
    }
}
