import Testing
import TollgateCore

/// What a user has bought, and what follows from it.
@Suite struct PurchasesTests {
    private static let grace: Int64 = 100
    private static let now = UnixTime(seconds: 5000)
    private static let plans: PlanTable = {
        let names = ["free", "paid", "pro"]
        guard let table = try? PlanTable(names.map { Plan(name: $0, quota: 5, ratePerMinute: 5) }) else {
            return .standard
        }
        return table
    }()

    private static func subscription(
        _ id: String = "sub_1", _ status: SubscriptionStatus = .active, plan: String? = "paid", began: Int64 = 100,
        since pastDueSince: Int64? = nil, seen: Int64 = 1000
    ) -> Subscription {
        Subscription(
            id: id, customerID: "cus_1", status: status, plan: plan, priceIDs: ["price_1"], firstPriceIDs: ["price_1"],
            startedAt: UnixTime(seconds: began), pastDueSince: pastDueSince.map { UnixTime(seconds: $0) },
            seenAt: UnixTime(seconds: seen))
    }

    private static func record(
        _ purchases: Purchases, replacing known: SubscriptionRecord? = nil, at time: UnixTime = now
    ) -> SubscriptionRecord? {
        purchases.record(replacing: known, at: time, plans: plans, pastDueGraceSeconds: grace)
    }

    private static func granted(_ purchases: Purchases, at time: UnixTime = now) -> String? {
        record(purchases, at: time)?.grantedPlan(at: time, pastDueGraceSeconds: grace)
    }

    // MARK: One subscription

    @Test func whatWasSeenLaterCounts() {
        let known = Self.subscription()
        #expect(known.yields(to: Self.subscription(seen: 1001)))
        #expect(known.yields(to: Self.subscription(seen: 1000)), "a repetition may say more")
        #expect(!known.yields(to: Self.subscription(seen: 999)))
    }

    @Test func anEndYieldsToNothingButALaterLookAtIt() {
        for end in [SubscriptionStatus.canceled, .incompleteExpired] {
            let ended = Self.subscription("sub_1", end)
            for status in SubscriptionStatus.named + [.unknown("frozen"), .moved] where !status.isFinal {
                #expect(!ended.yields(to: Self.subscription("sub_1", status, seen: 9999)))
                #expect(Self.subscription("sub_1", status, seen: 9999).yields(to: ended), "whenever it was seen")
            }
            #expect(ended.yields(to: Self.subscription("sub_1", .canceled, seen: 1001)))
            #expect(!ended.yields(to: Self.subscription("sub_1", .canceled, seen: 999)))
        }
    }

    @Test func aSubscriptionServesWhileItIsPaidForOrNotLongOwed() {
        for status in SubscriptionStatus.named + [.unknown("frozen"), .moved] where status != .pastDue {
            let serves = Self.subscription("sub_1", status).serves(at: Self.now, pastDueGraceSeconds: Self.grace)
            #expect(serves == (status == .active || status == .trialing), "\(status)")
        }
        for (since, serves) in [(4901, true), (4900, false), (nil, false)] as [(Int64?, Bool)] {
            let owed = Self.subscription("sub_1", .pastDue, since: since)
            #expect(owed.serves(at: Self.now, pastDueGraceSeconds: Self.grace) == serves)
        }
        let foreign = Self.subscription("sub_1", plan: nil)
        #expect(!foreign.serves(at: Self.now, pastDueGraceSeconds: Self.grace))
    }

    @Test func whatOneLookCannotTellIsKept() throws {
        var purchases = Purchases(subscriptions: [Self.subscription("sub_1", .pastDue, since: 1000)])
        var seen = Self.subscription("sub_1", .pastDue, since: 1500, seen: 1500)
        seen.firstPriceIDs = ["price_2"]
        seen.startedAt = nil
        seen.customerID = nil
        purchases.take(seen, plans: Self.plans)
        var kept = try #require(purchases.subscriptions["sub_1"])
        #expect(kept.pastDueSince == UnixTime(seconds: 1000), "since the first failure")
        #expect(kept.firstPriceIDs == ["price_1"] && kept.startedAt == UnixTime(seconds: 100))
        #expect(kept.customerID == "cus_1")
        purchases.take(Self.subscription("sub_1", .active, seen: 1600), plans: Self.plans)
        purchases.take(Self.subscription("sub_1", .pastDue, since: 1700, seen: 1700), plans: Self.plans)
        kept = try #require(purchases.subscriptions["sub_1"])
        #expect(kept.pastDueSince == UnixTime(seconds: 1700), "another payment")
        purchases.take(Self.subscription("sub_1", .canceled, seen: 1), plans: Self.plans)
        #expect(purchases.subscriptions["sub_1"]?.status == .canceled, "an end always counts")
    }

    // MARK: Several

    /// Of each, what is bought, and what the user has.
    @Test func theBestPlanOfAllThatServeCounts() {
        let paid = Self.subscription("sub_1", began: 100)
        let pro = Self.subscription("sub_2", plan: "pro", began: 200)
        let cases: [(what: String, bought: [Subscription], plan: String, subscription: String)] = [
            ("older paid, newer ended", [paid, Self.subscription("sub_2", .canceled, began: 200)], "paid", "sub_1"),
            ("older paid, newer paused", [paid, Self.subscription("sub_2", .paused, began: 200)], "paid", "sub_1"),
            (
                "older paid, newer owed for too long",
                [paid, Self.subscription("sub_2", .pastDue, plan: "pro", began: 200, since: 4900)], "paid", "sub_1"
            ),
            (
                "older paid, newer owed",
                [paid, Self.subscription("sub_2", .pastDue, plan: "pro", began: 200, since: 4901)], "pro", "sub_2"
            ),
            ("paid and pro", [paid, pro], "pro", "sub_2"),
            ("older pro, newer paid", [pro, Self.subscription("sub_3", began: 300)], "pro", "sub_2"),
            ("pro on trial", [paid, Self.subscription("sub_2", .trialing, plan: "pro")], "pro", "sub_2"),
            ("the trial is paused", [paid, Self.subscription("sub_2", .paused, plan: "pro")], "paid", "sub_1"),
            ("two alike", [paid, Self.subscription("sub_0", began: 300)], "paid", "sub_0"),
            (
                "of two alike, one is owed", [paid, Self.subscription("sub_2", .pastDue, began: 300, since: 4999)],
                "paid", "sub_1"
            ),
            ("foreign beside paid", [paid, Self.subscription("sub_2", plan: nil, began: 300)], "paid", "sub_1"),
            ("a plan that is not sold here", [paid, Self.subscription("sub_2", plan: "gold")], "paid", "sub_1"),
            (
                "both ended", [Self.subscription("sub_1", .canceled), Self.subscription("sub_2", .unpaid, began: 200)],
                "free", "sub_2"
            ),
        ]
        for (what, bought, plan, subscription) in cases {
            for order in [bought, bought.reversed()] {
                let purchases = Purchases(subscriptions: order)
                #expect(Self.granted(purchases) == plan, "\(what)")
                #expect(Self.record(purchases)?.subscriptionID == subscription, "\(what)")
            }
        }
        #expect(Self.record(Purchases()) == nil)
    }

    /// Admissions learn it from the record alone: no event comes when a grace is over.
    @Test func afterTheGraceTheNextBestCounts() throws {
        let owed = Self.subscription("sub_2", .pastDue, plan: "pro", began: 200, since: 4950)
        let purchases = Purchases(subscriptions: [Self.subscription(), owed])
        let record = try #require(Self.record(purchases))
        #expect(record.plan == "pro" && record.planAfterGrace == "paid")
        for (seconds, plan) in [(5049, "pro"), (5050, "paid")] as [(Int64, String)] {
            #expect(record.grantedPlan(at: UnixTime(seconds: seconds), pastDueGraceSeconds: Self.grace) == plan)
        }
        #expect(Self.record(Purchases(subscriptions: [owed]))?.planAfterGrace == nil)
        #expect(Self.record(Purchases(subscriptions: [Self.subscription()]))?.planAfterGrace == nil)
    }

    @Test func theRecordTellsOfWhatCounts() throws {
        var trial = Self.subscription("sub_1", .trialing)
        trial.period = SubscriptionPeriod(start: UnixTime(seconds: 1), end: UnixTime(seconds: 2))
        trial.endsAt = UnixTime(seconds: 3)
        trial.trialEnd = UnixTime(seconds: 4)
        trial.collectionPause = .untilFurtherNotice
        var expected = SubscriptionRecord(
            plan: "paid", status: .trialing, customerID: "cus_1", subscriptionID: "sub_1",
            startedAt: UnixTime(seconds: 100), period: trial.period, endsAt: trial.endsAt, trialEnd: trial.trialEnd,
            collectionPause: .untilFurtherNotice, writtenAt: Self.now)
        #expect(Self.record(Purchases(subscriptions: [trial])) == expected)
        trial.status = .active
        expected.status = .active
        expected.trialEnd = nil
        #expect(Self.record(Purchases(subscriptions: [trial])) == expected, "the trial is over")
    }

    // MARK: By hand

    private static func given(_ plan: String, _ status: SubscriptionStatus = .active) -> SubscriptionRecord {
        SubscriptionRecord(plan: plan, status: status, writtenAt: UnixTime(seconds: 0))
    }

    @Test func aPlanByHandStaysUntilOneAsGoodIsBought() throws {
        let given = Self.given("paid")
        var purchases = Purchases(byHand: given)
        #expect(Self.record(purchases, replacing: given) == given, "not a field is touched")
        purchases.take(Self.subscription("sub_1", plan: nil), plans: Self.plans)
        #expect(Self.record(purchases, replacing: given) == given, "a newsletter captures nothing")
        purchases.take(Self.subscription("sub_2", .canceled, plan: "pro"), plans: Self.plans)
        #expect(Self.record(purchases, replacing: given) == given, "nor does what has ended")
        purchases.take(Self.subscription("sub_3", .active, plan: "paid"), plans: Self.plans)
        #expect(Self.record(purchases, replacing: given)?.subscriptionID == "sub_3", "its portal has to be found")
        purchases.take(Self.subscription("sub_4", .active, plan: "pro"), plans: Self.plans)
        #expect(Self.granted(purchases) == "pro")
        purchases.take(Self.subscription("sub_4", .pastDue, plan: "pro", since: 4999, seen: 2000), plans: Self.plans)
        #expect(Self.record(purchases)?.planAfterGrace == "paid")
    }

    @Test func itComesBackAndClerkIsToldSo() throws {
        var given = Self.given("paid")
        given.clerkUpdatedAt = UnixTime(seconds: 7)
        given.revision = 3
        let purchases = Purchases(subscriptions: [Self.subscription("sub_1", .canceled, plan: "pro")], byHand: given)
        var bought = SubscriptionRecord(
            plan: "pro", status: .active, subscriptionID: "sub_1", writtenAt: UnixTime(seconds: 900),
            clerkUpdatedAt: UnixTime(seconds: 901))
        bought.revision = 8
        let record = try #require(Self.record(purchases, replacing: bought))
        #expect(record.isByHand && record.plan == "paid" && record.status == .active)
        #expect(record.writtenAt == Self.now && record.clerkUpdatedAt == nil, "an older token must not outweigh it")
        #expect(record.revision == 8)
    }

    @Test func anEndedPlanByHandHoldsNothingUp() {
        let purchases = Purchases(subscriptions: [Self.subscription()], byHand: Self.given("pro", .canceled))
        #expect(Self.granted(purchases) == "paid")
        let ended = Purchases(
            subscriptions: [Self.subscription("sub_1", .canceled)], byHand: Self.given("pro", .canceled))
        #expect(Self.record(ended)?.subscriptionID == "sub_1", "the customer is not forgotten over it")
        let owed = Purchases(subscriptions: [Self.subscription()], byHand: Self.given("pro", .pastDue))
        #expect(Self.granted(owed) == "paid", "and none whose day has come")
    }

    // MARK: Moved

    @Test func whatAnotherUserHasIsLost() throws {
        var purchases = Purchases(subscriptions: [Self.subscription(), Self.subscription("sub_2", plan: "pro")])
        func moment(_ seconds: Int64) -> UnixTime { UnixTime(seconds: seconds) }
        let losses = [
            purchases.lose("sub_2", seenAt: moment(999)), purchases.lose("sub_2", seenAt: moment(2000)),
            purchases.lose("sub_2", seenAt: moment(3000)), purchases.lose("sub_9", seenAt: moment(3000)),
        ]
        #expect(losses == [false, true, false, false], "a look from before; lost already; never had")
        #expect(Self.granted(purchases) == "paid")
        let isTaken = purchases.take(Self.subscription("sub_2", plan: "pro", seen: 1999), plans: Self.plans)
        #expect(!isTaken, "a look from before")
        purchases.lose("sub_1", seenAt: moment(2000))
        #expect(Self.granted(purchases) == "free")
        #expect(Self.record(purchases) != nil, "without a record an old token would count")
        let isBack = purchases.take(Self.subscription("sub_2", plan: "pro", seen: 2001), plans: Self.plans)
        let isLost = purchases.lose("sub_2", seenAt: moment(2000))
        #expect(isBack && !isLost, "a look from before that")
        #expect(Self.granted(purchases) == "pro")
    }

    // MARK: Clerk

    @Test func clerkIsToldOnlyWhatItDoesNotKnow() throws {
        func isKnown(_ status: SubscriptionStatus, after known: SubscriptionStatus, plan: String = "paid") throws
            -> Bool
        {
            let purchases = Purchases(subscriptions: [Self.subscription("sub_1", known, since: 4990)])
            var before = try #require(Self.record(purchases))
            before.clerkUpdatedAt = Self.now
            let later = Purchases(subscriptions: [Self.subscription("sub_1", status, plan: plan, since: 4990)])
            return Self.record(later, replacing: before)?.clerkUpdatedAt == Self.now
        }
        #expect(try isKnown(.active, after: .active), "a renewal")
        #expect(try isKnown(.active, after: .trialing))
        #expect(try isKnown(.canceled, after: .unpaid))
        #expect(try !isKnown(.active, after: .active, plan: "pro"))
        #expect(try !isKnown(.canceled, after: .active))
        #expect(try !isKnown(.active, after: .pastDue), "the grace may have run out meanwhile")
        #expect(try !isKnown(.pastDue, after: .active))
    }

    // MARK: Bounds and orders

    @Test func thirtyTwoAreRemembered() {
        var purchases = Purchases()
        for number in 0..<100 {
            let status: SubscriptionStatus = number < 30 ? .active : number < 40 ? .paused : .canceled
            purchases.take(Self.subscription("sub_\(number)", status, began: Int64(number)), plans: Self.plans)
            #expect(purchases.subscriptions.count <= Purchases.maximumCount)
        }
        let kept = purchases.subscriptions.values
        #expect(kept.count == Purchases.maximumCount)
        #expect(kept.count { $0.status == .active } == 30, "what serves is forgotten last")
        #expect(kept.filter { $0.status != .active }.allSatisfy { $0.status == .paused }, "what has ended goes first")
    }

    /// What a later look has seen does not say that the payment was returned.
    @Test func aReturnedPaymentIsNotedWhateverWasSeenLater() throws {
        var purchases = Purchases()
        var seen = Self.subscription("sub_1", .active, plan: "paid", seen: 2000)
        seen.period = SubscriptionPeriod(start: UnixTime(seconds: 1000), end: UnixTime(seconds: 9000))
        purchases.take(seen, plans: Self.plans)
        let isOfAnother = purchases.returnPayment(of: "sub_1", at: UnixTime(seconds: 999))
        #expect(!isOfAnother, "a period that is over")
        #expect(Self.granted(purchases) == "paid")
        let isNoted = purchases.returnPayment(of: "sub_1", at: UnixTime(seconds: 1500))
        #expect(isNoted)
        #expect(Self.granted(purchases) == "free")
        let isNotedTwice = purchases.returnPayment(of: "sub_1", at: UnixTime(seconds: 1500))
        let isOfNone = purchases.returnPayment(of: "sub_2", at: UnixTime(seconds: 1500))
        #expect(!isNotedTwice && !isOfNone)
    }

    /// The plan of a user follows from what is kept: the best is kept, however late it comes and however old it is.
    @Test func theBestPlansAreKept() throws {
        var purchases = Purchases()
        purchases.take(Self.subscription("sub_best", plan: "pro", began: 1), plans: Self.plans)
        for number in 0..<100 {
            purchases.take(
                Self.subscription("sub_\(number)", plan: "paid", began: 1000 + Int64(number)), plans: Self.plans)
            #expect(Self.granted(purchases) == "pro")
        }
        let isTaken = purchases.take(Self.subscription("sub_least", plan: "paid", began: 1), plans: Self.plans)
        #expect(!isTaken, "nothing has changed")
        #expect(purchases.subscriptions["sub_least"] == nil)
        let ended = purchases.take(Self.subscription("sub_ended", .canceled, plan: "pro"), plans: Self.plans)
        #expect(!ended)
        #expect(purchases.subscriptions.count == Purchases.maximumCount)
    }

    /// Looks at the lives of several subscriptions, taken up in any order and more than once: the picture is that of the
    /// last look at each, or of its end.
    @Test(arguments: [1, 2, 3]) func theOrderOfLooksDoesNotMatter(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var seen: [String: Int] = [:]
        for _ in 0..<500 {
            let looks = Self.randomLooks(using: &random)
            let expected = Dictionary(grouping: looks, by: \.id).mapValues { looks in
                let ends = looks.filter { $0.status.isFinal }
                return (ends.isEmpty ? looks : ends).max { $0.seenAt < $1.seenAt }
            }
            var records: Set<SubscriptionRecord?> = []
            for _ in 0..<4 {
                var purchases = Purchases()
                for look in (looks + looks.filter { _ in Bool.random(using: &random) }).shuffled(using: &random) {
                    purchases.take(look, plans: Self.plans)
                }
                #expect(purchases.subscriptions.mapValues(Optional.some) == expected)
                records.insert(Self.record(purchases))
            }
            #expect(records.count == 1)
            let best = expected.values.compactMap(\.self)
                .filter { $0.serves(at: Self.now, pastDueGraceSeconds: Self.grace) }
                .compactMap { $0.plan.flatMap { Self.plans.rank(of: $0) } }.max()
            let plan = best.map { Self.plans.plans[$0].name } ?? "free"
            let record = try #require(records.first ?? nil)
            #expect(record.grantedPlan(at: Self.now, pastDueGraceSeconds: Self.grace) == plan)
            seen[plan, default: 0] += 1
        }
        #expect(seen.count == 3 && seen.values.allSatisfy { $0 > 20 }, "one-sided: \(seen)")
    }

    /// Each subscription owes since one moment only, for a look that was overtaken cannot tell of an earlier one.
    private static func randomLooks(using random: inout SplitMix) -> [Subscription] {
        func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        return (0...Int.random(in: 0..<4, using: &random)).flatMap { number in
            let since: Int64 = one(of: [4800, 4950])
            return (0...Int.random(in: 0..<6, using: &random)).map { step in
                let status = one(of: SubscriptionStatus.named + [.active, .active, .pastDue, .unknown("frozen")])
                return subscription(
                    "sub_\(number)", status, plan: one(of: [nil, "paid", "paid", "pro"]), began: Int64(number) * 7,
                    since: status == .pastDue ? since : nil, seen: 1000 + Int64(step))
            }
        }
    }
}
