import Testing
import TollgateCore

@Suite struct SubscriptionFencingTests {
    private static let now = UnixTime(seconds: 5000)

    private static func update(
        _ event: String, at seconds: Int64, _ status: SubscriptionStatus, plan: String? = "paid",
        subscription: String? = "sub_1", startedAt: Int64? = nil, isAuthoritative: Bool = false
    ) throws -> SubscriptionUpdate {
        SubscriptionUpdate(
            userID: try #require(UserID("user_abc")), plan: plan, status: status, subscriptionID: subscription,
            startedAt: startedAt.map { UnixTime(seconds: $0) }, eventTime: UnixTime(seconds: seconds), eventID: event,
            isAuthoritative: isAuthoritative)
    }

    /// `sub_1`, begun at second 100; the event is `evt_1` of second 200.
    private static func record(_ status: SubscriptionStatus) throws -> SubscriptionRecord {
        SubscriptionRecord(
            plan: "paid", status: status, customerID: "cus_1", subscriptionID: "sub_1",
            startedAt: UnixTime(seconds: 100),
            period: SubscriptionPeriod(start: UnixTime(seconds: 100), end: UnixTime(seconds: 900)),
            eventTime: UnixTime(seconds: 200), eventID: "evt_1",
            pastDueSince: status == .pastDue ? UnixTime(seconds: 150) : nil, writtenAt: UnixTime(seconds: 210),
            clerkUpdatedAt: UnixTime(seconds: 211))
    }

    private enum Verdict: Equatable { case applied, alreadyApplied, stale, tie, rivalry }

    private static func verdict(_ update: SubscriptionUpdate, on record: SubscriptionRecord?) -> Verdict {
        switch SubscriptionRecord.applying(update, to: record, at: now) {
        case .applied: .applied
        case .alreadyApplied: .alreadyApplied
        case .stale: .stale
        case .tie: .tie
        case .rivalry: .rivalry
        }
    }

    @Test func theLaterEventOfASubscriptionWins() throws {
        let record = try Self.record(.active)
        #expect(Self.verdict(try Self.update("evt_2", at: 201, .unpaid), on: record) == .applied)
        #expect(Self.verdict(try Self.update("evt_2", at: 199, .unpaid), on: record) == .stale)
        #expect(Self.verdict(try Self.update("evt_2", at: 201, .canceled), on: record) == .applied)
        #expect(Self.verdict(try Self.update("evt_2", at: 199, .canceled), on: record) == .stale)
        #expect(
            Self.verdict(try Self.update("evt_2", at: 199, .unpaid, isAuthoritative: true), on: record) == .stale,
            "it was fetched for an event that has been overtaken")
    }

    @Test func anEventIsAppliedOnce() throws {
        let record = try Self.record(.active)
        #expect(
            SubscriptionRecord.applying(try Self.update("evt_1", at: 200, .active), to: record, at: Self.now)
                == .alreadyApplied(record))
    }

    @Test func equalTimesAreATieThatStripeSettles() throws {
        let record = try Self.record(.active)
        #expect(Self.verdict(try Self.update("evt_2", at: 200, .unpaid), on: record) == .tie)
        #expect(
            Self.verdict(try Self.update("evt_2", at: 200, .unpaid, isAuthoritative: true), on: record) == .applied)
        #expect(Self.verdict(try Self.update("evt_2", at: 200, .canceled), on: record) == .applied, "deletion wins")
        let ended = try Self.record(.canceled)
        #expect(Self.verdict(try Self.update("evt_2", at: 200, .active), on: ended) == .stale, "deletion wins")
        #expect(Self.verdict(try Self.update("evt_2", at: 200, .canceled), on: ended) == .stale)
        #expect(Self.verdict(try Self.update("evt_2", at: 200, .active, isAuthoritative: true), on: ended) == .applied)
    }

    @Test func nothingComesBackAfterItsEndUnlessStripeSaysSo() throws {
        let ended = try Self.record(.canceled)
        #expect(Self.verdict(try Self.update("evt_2", at: 300, .active), on: ended) == .tie)
        #expect(Self.verdict(try Self.update("evt_2", at: 300, .active, isAuthoritative: true), on: ended) == .applied)
        #expect(Self.verdict(try Self.update("evt_2", at: 300, .canceled), on: ended) == .applied)
        #expect(
            Self.verdict(try Self.update("evt_2", at: 300, .active, subscription: nil), on: ended) == .applied,
            "another purchase")
    }

    @Test func theEndOfAReplacedSubscriptionEndsNothing() throws {
        let record = try Self.record(.active)
        for status: SubscriptionStatus in [.canceled, .unpaid, .incomplete, .incompleteExpired, .paused] {
            let update = try Self.update("evt_2", at: 300, status, subscription: "sub_0", startedAt: 50)
            #expect(Self.verdict(update, on: record) == .stale)
        }
    }

    /// The recorded subscription may have ended as well, and the news of that be late.
    @Test func theEndOfALaterSubscriptionAsksForTheRecordedOne() throws {
        let record = try Self.record(.active)
        for status: SubscriptionStatus in [.canceled, .unpaid, .incomplete, .incompleteExpired, .paused] {
            var update = try Self.update("evt_2", at: 300, status, subscription: "sub_2", startedAt: 150)
            #expect(Self.verdict(update, on: record) == .rivalry)
            update.endedRivalID = "sub_0"
            #expect(Self.verdict(update, on: record) == .rivalry, "another one was asked for")
            update.endedRivalID = "sub_1"
            #expect(Self.verdict(update, on: record) == .applied)
            #expect(Self.verdict(update, on: try Self.record(.unpaid)) == .applied)
        }
    }

    @Test func ofTwoSubscriptionsTheLaterBegunCounts() throws {
        let active = try Self.record(.active)
        let ended = try Self.record(.canceled)
        func verdicts(at seconds: Int64, _ subscription: String, startedAt: Int64?) throws -> [Verdict] {
            try [active, ended].flatMap { record in
                try [false, true].map { isAuthoritative in
                    let update = try Self.update(
                        "evt_2", at: seconds, .active, subscription: subscription, startedAt: startedAt,
                        isAuthoritative: isAuthoritative)
                    return Self.verdict(update, on: record)
                }
            }
        }
        let newer = try verdicts(at: 150, "sub_2", startedAt: 150)
        #expect(newer == [.tie, .applied, .tie, .applied], "its end may have come before")
        let older = try verdicts(at: 300, "sub_0", startedAt: 50)
        #expect(older == [.stale, .stale, .tie, .applied], "it may go on, or this is an event from before its end")
        let checkout = try verdicts(at: 300, "sub_2", startedAt: nil)
        #expect(checkout == [.tie, .applied, .tie, .applied], "begun with the event, where it does not say")
    }

    @Test func plansOfUnknownSubscriptionsAreAskedFor() throws {
        for record in [nil, try Self.record(.active), try Self.record(.canceled)] {
            let nameless = try Self.update("evt_2", at: 300, .active, plan: nil, subscription: "sub_2")
            #expect(Self.verdict(nameless, on: record) == .tie)
            let settled = try Self.update(
                "evt_2", at: 300, .active, plan: nil, subscription: "sub_2", isAuthoritative: true)
            #expect(Self.verdict(settled, on: record) == .stale, "of a product that is none of ours")
        }
        let end = try Self.update("evt_2", at: 300, .canceled, plan: nil)
        #expect(Self.verdict(end, on: nil) == .applied, "an end must outweigh an old token, even without a record")
    }

    @Test func whatAnEventDoesNotSayIsKept() throws {
        let record = try Self.record(.pastDue)
        var expected = record
        expected.eventTime = UnixTime(seconds: 300)
        expected.eventID = "evt_2"
        expected.writtenAt = Self.now
        let silent = try Self.update("evt_2", at: 300, .pastDue, plan: nil, subscription: nil)
        #expect(SubscriptionRecord.applying(silent, to: record, at: Self.now) == .applied(expected))
        expected.status = .active
        expected.pastDueSince = nil
        expected.clerkUpdatedAt = nil
        let paid = try Self.update("evt_2", at: 300, .active, plan: nil)
        #expect(SubscriptionRecord.applying(paid, to: record, at: Self.now) == .applied(expected))
    }

    @Test func clerkIsToldOnlyWhatItDoesNotKnow() throws {
        func isKnown(_ status: SubscriptionStatus, after known: SubscriptionStatus, plan: String = "paid") throws
            -> Bool
        {
            let update = try Self.update("evt_2", at: 300, status, plan: plan)
            let outcome = SubscriptionRecord.applying(update, to: try Self.record(known), at: Self.now)
            guard case .applied(let record) = outcome else { throw UnexpectedOutcome(outcome: outcome) }
            return record.clerkUpdatedAt != nil
        }
        #expect(try isKnown(.active, after: .active), "a renewal")
        #expect(try isKnown(.active, after: .trialing))
        #expect(try isKnown(.canceled, after: .unpaid))
        #expect(try !isKnown(.active, after: .active, plan: "pro"))
        #expect(try !isKnown(.canceled, after: .active))
        #expect(try !isKnown(.active, after: .pastDue), "the grace may have run out meanwhile")
        #expect(try !isKnown(.pastDue, after: .active))
    }

    private struct UnexpectedOutcome: Error { let outcome: SubscriptionOutcome }

    @Test func nothingIsKeptOfAnotherSubscription() throws {
        let update = try Self.update(
            "evt_2", at: 300, .pastDue, plan: "pro", subscription: "sub_2", isAuthoritative: true)
        let expected = SubscriptionRecord(
            plan: "pro", status: .pastDue, subscriptionID: "sub_2", startedAt: UnixTime(seconds: 300),
            eventTime: UnixTime(seconds: 300), eventID: "evt_2", pastDueSince: UnixTime(seconds: 300),
            writtenAt: Self.now)
        #expect(SubscriptionRecord.applying(update, to: try Self.record(.pastDue), at: Self.now) == .applied(expected))
    }

    /// A customer replaces one subscription by another, whose payment fails once. Whatever way round the events come,
    /// the user ends up with the second.
    @Test(arguments: [true, false]) func theOrderOfDeliveryDoesNotMatter(eventsTellBeginnings: Bool) throws {
        let first = eventsTellBeginnings ? Int64(100) : nil
        let second = eventsTellBeginnings ? Int64(400) : nil
        let updates = [
            try Self.update("evt_1", at: 100, .active, subscription: "sub_1", startedAt: first),
            try Self.update("evt_2", at: 400, .active, plan: "pro", subscription: "sub_2"),
            try Self.update("evt_3", at: 500, .canceled, subscription: "sub_1", startedAt: first),
            try Self.update("evt_4", at: 600, .pastDue, plan: "pro", subscription: "sub_2", startedAt: second),
            try Self.update("evt_5", at: 700, .active, plan: "pro", subscription: "sub_2", startedAt: second),
        ]
        for order in permutations(of: updates) {
            var record: SubscriptionRecord?
            for update in order { deliver(update, to: &record) }
            guard let record, record.eventID == "evt_5", record.plan == "pro", record.status == .active else {
                Issue.record("\(order.map { $0.eventID }) leads to \(String(describing: record))")
                return
            }
        }
    }

    /// Delivers as a worker does: on a tie it asks Stripe, where `sub_1` has ended and `sub_2` is active.
    private func deliver(_ update: SubscriptionUpdate, to record: inout SubscriptionRecord?) {
        switch SubscriptionRecord.applying(update, to: record, at: Self.now) {
        case .applied(let new): record = new
        case .alreadyApplied, .stale: break
        case .rivalry(let rival):
            guard rival.subscriptionID == "sub_1" else { return }
            var settled = update
            settled.endedRivalID = "sub_1"
            deliver(settled, to: &record)
        case .tie:
            let settled = SubscriptionUpdate(
                userID: update.userID, plan: update.plan,
                status: update.subscriptionID == "sub_1" ? .canceled : .active,
                subscriptionID: update.subscriptionID, startedAt: update.startedAt, eventTime: update.eventTime,
                eventID: update.eventID, isAuthoritative: true)
            deliver(settled, to: &record)
        }
    }

    private func permutations<Element>(of elements: [Element]) -> [[Element]] {
        guard elements.count > 1 else { return [elements] }
        return elements.indices.flatMap { index in
            var rest = elements
            let chosen = rest.remove(at: index)
            return permutations(of: rest).map { [chosen] + $0 }
        }
    }
}
