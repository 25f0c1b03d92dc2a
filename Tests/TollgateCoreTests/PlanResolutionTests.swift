import Testing
import TollgateCore

@Suite struct PlanResolutionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let record: SubscriptionRecord?
        var claim: String?
        var issuedAt: Int64?
        var lastSeen: String?
        let plan: String
    }

    /// A record written at second 1000, of which Clerk was told at second 1010. Questions are asked at second 5000.
    private static func record(
        _ status: SubscriptionStatus = .active, pastDueSince: Int64? = nil, planAfterGrace: String? = nil,
        clerkUpdatedAt: Int64? = 1010
    ) -> SubscriptionRecord {
        SubscriptionRecord(
            plan: "paid", status: status, pastDueSince: pastDueSince.map { UnixTime(seconds: $0) },
            planAfterGrace: planAfterGrace, writtenAt: UnixTime(seconds: 1000),
            clerkUpdatedAt: clerkUpdatedAt.map { UnixTime(seconds: $0) })
    }

    static let cases = [
        Case(testDescription: "nothing is known", record: nil, plan: "free"),
        Case(testDescription: "only the plan last seen", record: nil, lastSeen: "paid", plan: "paid"),
        Case(testDescription: "a claim over the last seen", record: nil, claim: "pro", lastSeen: "paid", plan: "pro"),
        Case(testDescription: "a claim of an unknown plan", record: nil, claim: "gold", plan: "gold"),
        Case(testDescription: "a record over the last seen", record: record(), lastSeen: "pro", plan: "paid"),
        Case(testDescription: "an old claim", record: record(), claim: "free", issuedAt: 999, plan: "paid"),
        Case(testDescription: "before Clerk was told", record: record(), claim: "free", issuedAt: 1005, plan: "paid"),
        Case(testDescription: "the same second", record: record(), claim: "free", issuedAt: 1010, plan: "paid"),
        Case(testDescription: "within the margin", record: record(), claim: "free", issuedAt: 1015, plan: "paid"),
        Case(testDescription: "a newer claim", record: record(), claim: "pro", issuedAt: 1016, plan: "pro"),
        Case(testDescription: "a claim of unknown age", record: record(), claim: "pro", plan: "paid"),
        Case(testDescription: "a newer token without a claim", record: record(), issuedAt: 1016, plan: "paid"),
        Case(
            testDescription: "Clerk was never told", record: record(clerkUpdatedAt: nil), claim: "pro", issuedAt: 4000,
            plan: "paid"),
        Case(
            testDescription: "Clerk was told by a clock that is behind", record: record(clerkUpdatedAt: 900),
            claim: "pro", issuedAt: 1000, plan: "paid"),
        Case(testDescription: "on trial", record: record(.trialing), plan: "paid"),
        Case(testDescription: "canceled", record: record(.canceled), claim: "paid", issuedAt: 999, plan: "free"),
        Case(testDescription: "given by hand", record: record(.canceled), claim: "pro", issuedAt: 1016, plan: "pro"),
        Case(testDescription: "canceled, last seen", record: record(.canceled), lastSeen: "paid", plan: "free"),
        Case(testDescription: "unpaid", record: record(.unpaid), plan: "free"),
        Case(testDescription: "paused", record: record(.paused), plan: "free"),
        Case(testDescription: "incomplete", record: record(.incomplete), plan: "free"),
        Case(testDescription: "incomplete, expired", record: record(.incompleteExpired), plan: "free"),
        Case(testDescription: "a status to come", record: record(.unknown("frozen")), plan: "free"),
        Case(testDescription: "the grace's last second", record: record(.pastDue, pastDueSince: 4901), plan: "paid"),
        Case(testDescription: "the grace is over", record: record(.pastDue, pastDueSince: 4900), plan: "free"),
        Case(testDescription: "owed since an unknown moment", record: record(.pastDue), plan: "free"),
        Case(
            testDescription: "another subscription within the grace",
            record: record(.pastDue, pastDueSince: 4901, planAfterGrace: "basic"), plan: "paid"),
        Case(
            testDescription: "another subscription when the grace is over",
            record: record(.pastDue, pastDueSince: 4900, planAfterGrace: "basic"), claim: "paid", issuedAt: 4999,
            plan: "basic"),
        Case(
            testDescription: "another subscription, and owed since an unknown moment",
            record: record(.pastDue, planAfterGrace: "basic"), plan: "basic"),
        Case(
            testDescription: "another subscription of one that ended",
            record: record(.canceled, planAfterGrace: "basic"), plan: "free"),
        Case(testDescription: "another user has it now", record: record(.moved), lastSeen: "paid", plan: "free"),
        Case(
            testDescription: "a newer claim within the grace", record: record(.pastDue, pastDueSince: 4901),
            claim: "pro", issuedAt: 1016, plan: "pro"),
        Case(
            testDescription: "no claim is newer than the end of the grace",
            record: record(.pastDue, pastDueSince: 4900), claim: "paid", issuedAt: 4999, plan: "free"),
    ]

    @Test(arguments: cases) func theRightWordCounts(_ question: Case) {
        let plan = PlanResolution.resolve(
            record: question.record, claimedPlan: question.claim,
            claimIssuedAt: question.issuedAt.map { UnixTime(seconds: $0) }, lastSeen: question.lastSeen,
            now: UnixTime(seconds: 5000), pastDueGraceSeconds: 100)
        #expect(plan == question.plan)
    }

    @Test func customersInArrearsHaveAWeek() {
        let record = Self.record(.pastDue, pastDueSince: 1000)
        for (seconds, plan) in [(604_799, "paid"), (604_800, "free")] as [(Int64, String)] {
            let found = PlanResolution.resolve(
                record: record, claimedPlan: nil, claimIssuedAt: nil, lastSeen: nil,
                now: UnixTime(seconds: 1000 + seconds))
            #expect(found == plan)
        }
    }

    @Test func statusesAreCalledWhatStripeCallsThem() {
        let names = SubscriptionStatus.named.map { $0.name }
        #expect(
            names == [
                "active", "trialing", "past_due", "unpaid", "canceled", "incomplete", "incomplete_expired", "paused",
            ])
        #expect(names.map { SubscriptionStatus($0) } == SubscriptionStatus.named)
        #expect(SubscriptionStatus("frozen") == .unknown("frozen"))
        #expect(SubscriptionStatus("frozen").name == "frozen")
    }
}
