import TollgateCore

/// What has become of a user's subscription, by one event. Nil is what the event does not tell.
package struct SubscriptionChange: Sendable, Hashable {
    /// What happened. The raw value is the label of the metric.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A checkout is paid for, or costs nothing yet.
        case checkoutPaid = "checkout-paid"

        /// A subscription was made or changed; ``SubscriptionChange/status`` says all.
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

    /// Who it may be about, the best source first. Empty: only the customer or the subscription can tell.
    package var userIDs: [UserID] = []

    /// `cus_…`
    package var customerID: String?

    /// `sub_…`
    package var subscriptionID: String?

    /// The plan's name, from the metadata that was set at checkout.
    package var tier: String?

    /// `price_…` of what is sold, for a subscription that was made elsewhere and has no tier.
    package var priceIDs: [String] = []

    /// Where the subscription stands.
    package var status: SubscriptionStatus?

    /// When the subscription began.
    package var startedAt: UnixTime?

    /// When what is paid for now began.
    package var periodStart: UnixTime?

    /// When what is paid for now ends.
    package var periodEnd: UnixTime?

    /// It will not be renewed.
    package var cancelAtPeriodEnd: Bool?

    /// When it will be cancelled, if that is settled.
    package var cancelAt: UnixTime?

    /// That something has happened, and nothing else yet.
    package init(kind: Kind, eventID: String, eventTime: UnixTime) {
        self.kind = kind
        self.eventID = eventID
        self.eventTime = eventTime
    }

    /// Whether the user has the plan from now on.
    package var keepsPlan: Bool? {
        switch kind {
        case .checkoutPaid: true
        case .deleted: false
        case .subscription: status?.isLive
        case .paymentSucceeded, .paymentFailed: nil
        }
    }
}

extension SubscriptionChange {
    /// What `subscription` is at `eventTime`: by an event, or asked of Stripe where events cannot settle it.
    package init(subscription: SubscriptionObject, kind: Kind, eventID: String, eventTime: UnixTime) {
        self.init(kind: kind, eventID: eventID, eventTime: eventTime)
        userIDs = UserID.candidates(subscription.metadata["userId"])
        customerID = subscription.customerID
        subscriptionID = subscription.id
        tier = subscription.metadata["tier"]
        priceIDs = subscription.priceIDs
        status = subscription.status
        startedAt = subscription.createdAt
        periodStart = subscription.periodStart
        periodEnd = subscription.periodEnd
        cancelAtPeriodEnd = subscription.cancelAtPeriodEnd
        cancelAt = subscription.cancelAt
    }

    /// What a checkout tells: whose it is and what was bought.
    init(checkout: CheckoutObject, kind: Kind, event: StripeEvent) {
        self.init(kind: kind, eventID: event.id, eventTime: event.created)
        userIDs = UserID.candidates(checkout.clientReferenceID, checkout.metadata["userId"])
        customerID = checkout.customerID
        subscriptionID = checkout.subscriptionID
        tier = checkout.metadata["tier"]
    }

    /// What an invoice tells: whose it is and what is sold.
    init(invoice: InvoiceObject, kind: Kind, event: StripeEvent) {
        self.init(kind: kind, eventID: event.id, eventTime: event.created)
        userIDs = UserID.candidates(invoice.subscriptionMetadata["userId"])
        customerID = invoice.customerID
        subscriptionID = invoice.subscriptionID
        tier = invoice.subscriptionMetadata["tier"]
        priceIDs = invoice.priceIDs
    }
}

extension UserID {
    /// Those of `texts` that can be a user's id, each once.
    fileprivate static func candidates(_ texts: String?...) -> [UserID] {
        texts.compactMap { $0.flatMap(UserID.init) }
            .reduce(into: []) { found, candidate in if !found.contains(candidate) { found.append(candidate) } }
    }
}
