import TollgateCore

extension SubscriptionChange {
    /// What this change says of `user`'s plan, as the domain puts it. Nil when only the subscription itself can tell.
    ///
    /// - Parameter isAuthoritative: The subscription was asked of Stripe to settle this event.
    package func update(of user: UserID, prices: PriceTable, isAuthoritative: Bool = false) -> SubscriptionUpdate? {
        guard let status = newStatus else { return nil }
        return SubscriptionUpdate(
            userID: user, plan: plan(prices), status: status, customerID: customerID, subscriptionID: subscriptionID,
            startedAt: startedAt, period: period, eventTime: eventTime, eventID: eventID,
            isAuthoritative: isAuthoritative)
    }

    /// The plan that is sold. The price goes before the metadata of the checkout: a customer who changes the plan in
    /// the portal pays another price and keeps the metadata.
    package func plan(_ prices: PriceTable) -> String? {
        prices.plan(soldBy: priceIDs) ?? tier.flatMap { Plan.isValidName($0) ? $0 : nil }
    }

    /// It sells something, but no plan of ours.
    package func isForeign(_ prices: PriceTable) -> Bool { !priceIDs.isEmpty && plan(prices) == nil }

    private var newStatus: SubscriptionStatus? {
        switch kind {
        case .checkoutPaid: .active
        case .deleted: status.flatMap { $0.isFinal ? $0 : nil } ?? .canceled
        case .subscription: status
        case .paymentSucceeded, .paymentFailed: nil
        }
    }

    private var period: SubscriptionPeriod? {
        guard let periodStart, let periodEnd else { return nil }
        return SubscriptionPeriod(start: periodStart, end: periodEnd)
    }
}
