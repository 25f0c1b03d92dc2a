import Testing
import TollgateCore
import TollgateStore

extension RedisSubscriptionStore {
    /// What a look at Stripe does, without Stripe: takes up what was seen into the picture, as often as another writer comes
    /// in between.
    ///
    /// - Returns: The record that there is afterwards.
    @discardableResult
    func take(
        _ seen: Subscription, for user: UserID, at time: UnixTime, plans: PlanTable = .standard,
        pastDueGraceSeconds: Int64 = PlanResolution.standardPastDueGraceSeconds
    ) async throws -> SubscriptionRecord? {
        while true {
            let known = try await purchases(of: user)
            var purchases = known.purchases
            guard purchases.take(seen, plans: plans) else { return known.record }
            let record = purchases.record(
                replacing: known.record, at: time, plans: plans, pastDueGraceSeconds: pastDueGraceSeconds)
            if try await write(purchases, record, of: user, over: known) { return try await self.record(of: user) }
        }
    }
}

extension Subscription {
    /// `sub_1` of `cus_1`, begun and seen at `time`, with 30 days that are paid for.
    static func example(
        _ id: String = "sub_1", _ status: SubscriptionStatus = .active, plan: String? = "paid", at time: UnixTime
    ) -> Subscription {
        Subscription(
            id: id, customerID: "cus_1", status: status, plan: plan, priceIDs: ["price_1"], firstPriceIDs: ["price_1"],
            startedAt: time, period: SubscriptionPeriod(start: time, end: time.adding(seconds: 30 * 86_400)),
            pastDueSince: status == .pastDue ? time : nil, seenAt: time)
    }

    /// One of few, so that histories are full of repetitions, of what comes late, and of two at a time.
    static func random(at time: UnixTime, using random: inout SeededGenerator) -> Subscription {
        func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        func moment() -> UnixTime { time.adding(seconds: -Int64.random(in: 0...5, using: &random)) }
        let status = one(of: SubscriptionStatus.named + [.active, .active, .pastDue, .pastDue, .unknown("frozen")])
        let prices = one(of: [[], ["price_1"], ["price_1", "price_2"]])
        return Subscription(
            id: "sub_\(Int.random(in: 0..<8, using: &random))", customerID: one(of: [nil, "cus_1", "cus_2"]),
            status: status, plan: one(of: [nil, "free", "paid", "paid", "none", "gold"]), priceIDs: prices,
            firstPriceIDs: prices, soldAs: one(of: [nil, "paid"]), startedAt: one(of: [nil, moment()]),
            period: one(of: [nil, SubscriptionPeriod(start: moment(), end: moment())]),
            endsAt: one(of: [nil, moment()]), trialEnd: one(of: [nil, moment()]),
            collectionPause: one(of: [nil, .untilFurtherNotice, .until(moment())]),
            pastDueSince: status == .pastDue ? one(of: [nil, moment(), moment()]) : nil, seenAt: moment())
    }
}
