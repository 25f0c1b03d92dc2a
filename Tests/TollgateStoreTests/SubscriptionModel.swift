import TollgateCore

/// Stripe delivers events late, twice and in any order. This decides which of them change the record, so that a record
/// never goes back.
///
/// Event times order the events of one subscription and nothing else. Between two subscriptions of one user it is the
/// later begun that counts, and one that serves the customer is never displaced by one that does not: else the end of
/// a subscription that was replaced would end its successor. The record knows of one subscription only, so what it
/// says of another may have been dropped before: a subscription that would take its place with a service is asked for at
/// Stripe.
///
/// The rule of `apply_subscription.lua` once more, in Swift: what the script is compared with.
extension SubscriptionRecord {
    /// What `update` makes of `record`, at `time` by our clock. Nil stands for a user without a record.
    static func applying(
        _ update: SubscriptionUpdate, to record: SubscriptionRecord?, at time: UnixTime
    ) -> SubscriptionOutcome {
        if let record, record.eventID == update.eventID { return .alreadyApplied(record) }
        let known = record.flatMap { $0.isAboutSubscription(of: update) ? $0 : nil }
        switch verdict(on: update, record: record, isSameSubscription: known != nil) {
        case .apply: return .applied(SubscriptionRecord(update, keepingFrom: known, writtenAt: time))
        case .stale: return .stale
        case .tie: return .tie
        case .rivalry: return record.map { .rivalry($0) } ?? .stale
        }
    }

    private enum Verdict { case apply, stale, tie, rivalry }

    private static func verdict(
        on update: SubscriptionUpdate, record: SubscriptionRecord?, isSameSubscription: Bool
    ) -> Verdict {
        // It may be of a product that is none of ours, or its beginning is still to come. Stripe knows.
        if !isSameSubscription, update.plan == nil, update.status.isLive {
            return update.isAuthoritative ? .stale : .tie
        }
        guard let record else { return .apply }
        return isSameSubscription ? record.verdict(onSameSubscription: update) : record.verdict(onOther: update)
    }

    /// Updates that name no subscription are taken to be about the recorded one.
    private func isAboutSubscription(of update: SubscriptionUpdate) -> Bool {
        subscriptionID == nil || update.subscriptionID == nil || subscriptionID == update.subscriptionID
    }

    private func verdict(onSameSubscription update: SubscriptionUpdate) -> Verdict {
        if update.eventTime < eventTime { return .stale }
        if update.isAuthoritative { return .apply }
        if update.eventTime == eventTime { return status.isFinal ? .stale : update.status.isFinal ? .apply : .tie }
        // Nothing comes back after its end. Perhaps a bill was paid late.
        let comesBack =
            status.isFinal && !update.status.isFinal && subscriptionID != nil && update.subscriptionID != nil
        return comesBack ? .tie : .apply
    }

    private func verdict(onOther update: SubscriptionUpdate) -> Verdict {
        let serves = status.isLive && subscriptionID != update.endedRivalID
        let isLater = update.startedAt ?? update.eventTime > startedAt ?? UnixTime(seconds: 0)
        guard update.status.isLive else {
            // Dropped, the end of the later one would be missing when its beginning comes.
            return isLater ? (serves ? .rivalry : .apply) : .stale
        }
        if serves && !isLater { return .stale }
        // Its end may have come before this, and have been dropped.
        return update.isAuthoritative ? .apply : .tie
    }

    /// The record that `update` leaves, with what it does not say kept from `known`, the record of the same
    /// subscription. Clerk has yet to be told of it, unless it would hear what it knows already.
    private init(_ update: SubscriptionUpdate, keepingFrom known: SubscriptionRecord?, writtenAt: UnixTime) {
        let subscriptionID = update.subscriptionID ?? known?.subscriptionID
        self.init(
            plan: update.plan ?? known?.plan ?? PlanTable.fallbackName, status: update.status,
            customerID: update.customerID ?? known?.customerID, subscriptionID: subscriptionID,
            startedAt: update.startedAt ?? known?.startedAt ?? (subscriptionID == nil ? nil : update.eventTime),
            period: update.period ?? known?.period, eventTime: update.eventTime, eventID: update.eventID,
            pastDueSince: update.status == .pastDue ? known?.pastDueSince ?? update.eventTime : nil,
            writtenAt: writtenAt)
        if let known, tellsClerkTheSame(as: known) { clerkUpdatedAt = known.clerkUpdatedAt }
    }

    /// Clerk takes ten updates of a user in ten seconds, and a renewal changes nothing that it is told. A customer who
    /// owes a payment is told of anew: with the grace the plan may have gone, without an event.
    private func tellsClerkTheSame(as known: SubscriptionRecord) -> Bool {
        plan == known.plan && customerID == known.customerID && subscriptionID == known.subscriptionID
            && status.isLive == known.status.isLive && (status == .pastDue) == (known.status == .pastDue)
    }
}
