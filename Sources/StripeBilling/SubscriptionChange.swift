package import TollgateCore

/// What has become of a user's subscription, by one event.
package struct SubscriptionChange: Sendable, Hashable {
    /// What happened. The raw value is the label of the metric.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A checkout is paid for, or costs nothing yet.
        case checkoutPaid = "checkout-paid"

        /// A subscription was made or changed; ``SubscriptionFacts/status`` says all.
        case subscription

        /// A subscription ended, whatever else is known of it.
        case deleted

        /// A payment came in. The subscription's own event says what follows from it.
        case paymentSucceeded = "payment-succeeded"

        /// A payment did not come in. The subscription's own event says what follows from it.
        case paymentFailed = "payment-failed"
    }

    /// What happened.
    package let kind: Kind

    /// `evt_…` of the event that says so.
    package let eventID: String

    /// When it happened, in whole seconds.
    package let eventTime: UnixTime

    /// What is told of the subscription.
    package var facts: SubscriptionFacts

    /// What one event says.
    package init(kind: Kind, eventID: String, eventTime: UnixTime, facts: SubscriptionFacts) {
        self.kind = kind
        self.eventID = eventID
        self.eventTime = eventTime
        self.facts = facts
    }
}

extension SubscriptionChange {
    /// What this change says of `user`'s plan, as the domain puts it. Nil when only the subscription itself can tell.
    ///
    /// - Parameter isAuthoritative: The subscription was asked of Stripe to settle this event.
    package func update(of user: UserID, prices: PriceTable, isAuthoritative: Bool = false) -> SubscriptionUpdate? {
        guard let status = newStatus else { return nil }
        return SubscriptionUpdate(
            userID: user, plan: plan(prices), status: status, customerID: facts.customerID,
            subscriptionID: facts.subscriptionID, startedAt: facts.startedAt, period: facts.period,
            eventTime: eventTime, eventID: eventID,
            isAuthoritative: isAuthoritative)
    }

    /// The plan that is sold. The price goes before the metadata of the checkout: a customer who changes the plan in
    /// the portal pays another price and keeps the metadata.
    package func plan(_ prices: PriceTable) -> String? {
        prices.plan(soldBy: facts.priceIDs) ?? facts.tier.flatMap { Plan.isValidName($0) ? $0 : nil }
    }

    /// It sells something, but no plan of ours.
    package func isForeign(_ prices: PriceTable) -> Bool { !facts.priceIDs.isEmpty && plan(prices) == nil }

    private var newStatus: SubscriptionStatus? {
        switch kind {
        case .checkoutPaid: .active
        case .deleted: facts.status.flatMap { $0.isFinal ? $0 : nil } ?? .canceled
        case .subscription: facts.status
        case .paymentSucceeded, .paymentFailed: nil
        }
    }
}
