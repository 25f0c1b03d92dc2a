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
        let plans: PlanTable
        let pastDueGraceSeconds: Int64

        /// The plan that an admission applies, `seconds` after the beginning.
        func plan(after seconds: Int64, claimed: String? = nil, issuedAfter: Int64? = nil) async throws -> String {
            let principal = Principal(
                userID: user, claimedPlan: claimed, issuedAt: issuedAfter.map { time.adding(seconds: $0) })
            let request = AdmissionRequest(principal: principal, time: time.adding(seconds: seconds), cost: 0)
            return try await admissions.admit(request).usage.plan
        }

        /// A look at a subscription of `time`, of which the record is written a second later.
        ///
        /// - Returns: The record.
        @discardableResult
        func bill(
            _ status: SubscriptionStatus, after seconds: Int64, id: String = "sub_1", plan: String = "paid"
        ) async throws -> SubscriptionRecord? {
            let now = time.adding(seconds: seconds)
            var seen = Subscription.example(id, status, plan: plan, at: now)
            seen.startedAt = time
            return try await subscriptions.take(
                seen, for: user, at: now.adding(seconds: 1), plans: plans, pastDueGraceSeconds: pastDueGraceSeconds)
        }
    }

    private func withGateway(
        plans: PlanTable = .standard, pastDueGraceSeconds: Int64, _ body: (Gateway) async throws -> Void
    ) async throws {
        let user = try #require(UserID("user_abc"))
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                let admissions = RedisAdmissionStore(
                    client: client, plans: plans, pastDueGraceSeconds: pastDueGraceSeconds)
                try await body(
                    Gateway(
                        admissions: admissions, subscriptions: RedisSubscriptionStore(client: client), user: user,
                        plans: plans, pastDueGraceSeconds: pastDueGraceSeconds))
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
            try await gateway.bill(.paused, after: 5)
            #expect(try await gateway.plan(after: 9, claimed: "paid", issuedAfter: 8) == "free", "Clerk is behind")
            let told = try await gateway.bill(.unpaid, after: 10)
            try await gateway.subscriptions.endClerkUpdate(
                of: gateway.user, token: "a", toldOf: told, at: Self.time.adding(seconds: 20))
            #expect(try await gateway.plan(after: 30, claimed: "paid", issuedAfter: 20) == "free")
            #expect(try await gateway.plan(after: 30, claimed: "paid", issuedAfter: 26) == "paid", "given by hand")
            try await gateway.bill(.paused, after: 60)
            #expect(try await gateway.plan(after: 70, claimed: "paid", issuedAfter: 59) == "free")
            #expect(try await gateway.plan(after: 70, claimed: "paid", issuedAfter: 69) == "paid", "Clerk knew already")
            try await gateway.bill(.active, after: 80)
            #expect(try await gateway.plan(after: 90, claimed: "free", issuedAfter: 89) == "paid", "Clerk is behind")
        }
    }

    @Test func customersInArrearsHaveTheirGrace() async throws {
        try await withGateway(pastDueGraceSeconds: 100) { gateway in
            try await gateway.bill(.active, after: 0)
            try await gateway.bill(.pastDue, after: 1000)
            let told = try await gateway.bill(.pastDue, after: 1050)
            #expect(try await gateway.plan(after: 1099) == "paid")
            #expect(try await gateway.plan(after: 1100) == "free", "since the first failure")
            try await gateway.subscriptions.endClerkUpdate(
                of: gateway.user, token: "a", toldOf: told, at: Self.time.adding(seconds: 1060))
            #expect(try await gateway.plan(after: 1100, claimed: "paid", issuedAfter: 1099) == "free")
            try await gateway.bill(.active, after: 1200)
            #expect(try await gateway.plan(after: 1201) == "paid")
        }
    }

    @Test func afterTheGraceAnotherSubscriptionCounts() async throws {
        let plans = try PlanTable(["free", "paid", "pro"].map { Plan(name: $0, quota: 5, ratePerMinute: 5) })
        try await withGateway(plans: plans, pastDueGraceSeconds: 100) { gateway in
            try await gateway.bill(.active, after: 0, id: "sub_2")
            try await gateway.bill(.active, after: 0, plan: "pro")
            #expect(try await gateway.plan(after: 2) == "pro")
            try await gateway.bill(.pastDue, after: 1000, plan: "pro")
            #expect(try await gateway.plan(after: 1099) == "pro")
            #expect(try await gateway.plan(after: 1100) == "paid", "without an event")
            #expect(try await gateway.plan(after: 1101, claimed: "pro", issuedAfter: 1100) == "paid")
            try await gateway.bill(.canceled, after: 1200, plan: "pro")
            #expect(try await gateway.plan(after: 1202) == "paid")
            try await gateway.bill(.canceled, after: 1300, id: "sub_2")
            #expect(try await gateway.plan(after: 1302) == "free")
        }
    }
}
