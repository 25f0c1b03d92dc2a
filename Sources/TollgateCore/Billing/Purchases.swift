/// Everything that a user has bought: one picture, of which the record that admissions read is a summary.
///
/// Pure: how it is kept, and where the subscriptions come from, is not its concern.
package struct Purchases: Sendable, Hashable {
    /// Subscriptions of one user that are remembered. Of more, the ones that can be missed first are forgotten.
    package static let maximumCount = 32

    /// By their ids.
    package private(set) var subscriptions: [String: Subscription]

    /// The plan that an operator has given, which no subscription stands behind. Nil when there is none.
    package var byHand: SubscriptionRecord?

    package init(subscriptions: [Subscription] = [], byHand: SubscriptionRecord? = nil) {
        self.subscriptions = Dictionary(subscriptions.map { ($0.id, $0) }) { $0.yields(to: $1) ? $1 : $0 }
        self.byHand = byHand
    }

    /// Takes up what was seen of a subscription.
    ///
    /// - Parameter plans: Of more than are remembered, those with a better plan are kept.
    /// - Returns: False when something newer is known, or when it is itself the one that can be missed first.
    @discardableResult
    package mutating func take(_ seen: Subscription, plans: PlanTable) -> Bool {
        var seen = seen
        if let known = subscriptions[seen.id] {
            guard known.yields(to: seen) else { return false }
            seen.keep(from: known)
        }
        subscriptions[seen.id] = seen
        while subscriptions.count > Self.maximumCount, let least = least(plans) { subscriptions[least.id] = nil }
        return subscriptions[seen.id] != nil
    }

    /// What was paid for the present period of a subscription was given or taken back: whatever else is known of it by now.
    ///
    /// - Returns: False when that is known, or concerns a period that is over.
    package mutating func returnPayment(of id: String, at moment: UnixTime) -> Bool {
        guard var known = subscriptions[id], !known.status.isFinal, known.paymentReturnedAt == nil,
            known.period.map({ $0.start <= moment }) ?? true
        else { return false }
        known.paymentReturnedAt = moment
        if known.status.isLive { known.status = .paymentReturned }
        subscriptions[id] = known
        return true
    }

    /// Another user has the subscription now.
    ///
    /// - Parameter seenAt: Of the look that found it so. What an earlier look says of it comes too late then.
    /// - Returns: False when it was not this user's, or is again as a later look has found.
    @discardableResult
    package mutating func lose(_ id: String, seenAt: UnixTime) -> Bool {
        guard let known = subscriptions[id], known.status != .moved, known.seenAt <= seenAt else { return false }
        // Not forgotten: without a record, an old token would count.
        subscriptions[id]?.status = .moved
        subscriptions[id]?.seenAt = seenAt
        return true
    }

    /// The one that can be missed first: one that has ended, else one that serves nobody, else that of the least plan.
    private func least(_ plans: PlanTable) -> Subscription? {
        func stage(_ status: SubscriptionStatus) -> Int { status.isFinal ? 0 : status.isLive ? 2 : 1 }
        return subscriptions.values.min { one, other in
            let (first, second) = (stage(one.status), stage(other.status))
            return first == second ? one.isOutdone(by: other, plans) : first < second
        }
    }

    // MARK: The summary

    /// What admissions read. Nil when nothing was bought and nothing given.
    ///
    /// The best plan of all that serve the user counts; of two subscriptions with the same plan the one that is paid for,
    /// then the one that began later. When none serves, the one that began last says why. A plan that was given by hand
    /// counts as long as none as good is bought.
    ///
    /// - Parameter known: The record so far, which Clerk may have been told of.
    package func record(
        replacing known: SubscriptionRecord?, at time: UnixTime, plans: PlanTable, pastDueGraceSeconds: Int64
    ) -> SubscriptionRecord? {
        let serving = subscriptions.values.filter { $0.serves(at: time, pastDueGraceSeconds: pastDueGraceSeconds) }
        let best = serving.max { $0.isOutdone(by: $1, plans) }
        if let byHand, subscriptions.isEmpty || byHand.outranks(best, at: time, plans, pastDueGraceSeconds) {
            // It is written anew only where something else was bought meanwhile, or follows when its grace is over.
            var record = known?.isByHand == true ? known ?? byHand : byHand.written(at: time, over: known)
            if record.status == .pastDue {
                (record.planAfterGrace, record.periodAfterGrace) = (best?.plan, best?.period)
            }
            return record
        }
        guard let counting = best ?? subscriptions.values.max(by: { ($0.began, $0.id) < ($1.began, $1.id) }) else {
            return nil
        }
        var record = SubscriptionRecord(counting)
        if counting.status == .pastDue {
            let paid = serving.filter { $0.status != .pastDue }.max { $0.isOutdone(by: $1, plans) }
            let given = byHand?.grantedPlan(at: time, pastDueGraceSeconds: pastDueGraceSeconds)
            let others = [(plan: paid?.plan, period: paid?.period), (plan: given, period: byHand?.period)]
            let best = others.filter { $0.plan != nil }.max { $0.plan.rank(in: plans) < $1.plan.rank(in: plans) }
            (record.planAfterGrace, record.periodAfterGrace) = (best?.plan, best?.period)
        }
        return record.written(at: time, over: known)
    }
}

extension SubscriptionRecord {
    fileprivate init(_ subscription: Subscription) {
        self.init(
            plan: subscription.plan ?? PlanTable.fallbackName, status: subscription.status,
            customerID: subscription.customerID, subscriptionID: subscription.id, startedAt: subscription.startedAt,
            period: subscription.period, endsAt: subscription.endsAt,
            trialEnd: subscription.status == .trialing ? subscription.trialEnd : nil,
            collectionPause: subscription.collectionPause, pastDueSince: subscription.pastDueSince,
            writtenAt: subscription.seenAt)
    }

    /// The same in the place of `known`, of which Clerk may have been told what it is told of this.
    fileprivate func written(at time: UnixTime, over known: SubscriptionRecord?) -> SubscriptionRecord {
        var record = self
        record.writtenAt = time
        record.clerkUpdatedAt = known.flatMap { tellsClerkTheSame(as: $0) ? $0.clerkUpdatedAt : nil }
        record.revision = known?.revision ?? 0
        return record
    }

    /// Whether the plan that was given is better than the best that is bought. Of two that are as good the bought one
    /// counts: with it the user finds the way to what is paid for.
    fileprivate func outranks(
        _ bought: Subscription?, at time: UnixTime, _ plans: PlanTable, _ pastDueGraceSeconds: Int64
    ) -> Bool {
        let granted = grantedPlan(at: time, pastDueGraceSeconds: pastDueGraceSeconds)
        guard let plan = bought?.plan else { return granted != PlanTable.fallbackName }
        return plans.rank(of: granted) ?? -1 > plans.rank(of: plan) ?? -1
    }

    /// Clerk takes ten updates of a user in ten seconds, and a renewal changes nothing that it is told. A customer who
    /// owes a payment is told of anew: with the grace the plan may have gone, without an event.
    fileprivate func tellsClerkTheSame(as known: SubscriptionRecord) -> Bool {
        plan == known.plan && customerID == known.customerID && subscriptionID == known.subscriptionID
            && status.isLive == known.status.isLive && (status == .pastDue) == (known.status == .pastDue)
    }
}

extension String? {
    fileprivate func rank(in plans: PlanTable) -> Int { flatMap { plans.rank(of: $0) } ?? -1 }
}

extension Subscription {
    fileprivate var began: UnixTime { startedAt ?? UnixTime(seconds: 0) }

    fileprivate func isOutdone(by other: Subscription, _ plans: PlanTable) -> Bool {
        standing(plans) < other.standing(plans)
    }

    /// Compared in order: the rank of the plan, whether it is paid for, and when it began. The id makes it definite.
    private func standing(_ plans: PlanTable) -> (Int, Int, UnixTime, String) {
        (plan.rank(in: plans), status == .pastDue ? 0 : 1, began, id)
    }

    /// What only the first look could tell, and what the provider does not tell.
    fileprivate mutating func keep(from known: Subscription) {
        if !known.firstPriceIDs.isEmpty { firstPriceIDs = known.firstPriceIDs }
        soldAs = soldAs ?? known.soldAs
        startedAt = startedAt ?? known.startedAt
        customerID = customerID ?? known.customerID
        guard status == .pastDue else { return }
        if known.status == .pastDue { pastDueSince = known.pastDueSince ?? pastDueSince }
        // The provider goes on to the next span whether or not it is paid.
        period = known.period ?? period
    }
}
