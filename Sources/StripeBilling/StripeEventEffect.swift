/// What an event means for billing.
package enum StripeEventEffect: Sendable, Hashable {
    /// A user's subscription is not what it was, or has been paid for.
    case subscriptionChanged(SubscriptionChange)

    /// Nothing to do.
    case ignored(IgnoredReason)

    /// Why an event changes nothing. The raw value is the label of the metric.
    package enum IgnoredReason: String, Sendable, Hashable, CaseIterable {
        /// Not of a type that matters here.
        case otherType = "other-type"

        /// A checkout or an invoice for something that is no subscription.
        case notForSubscription = "not-for-subscription"

        /// The checkout is done and the payment is on its way; another event will tell how that ended.
        case notPaidYet = "not-paid-yet"

        /// A part of a payment was given back, or a dispute is won.
        case notReturned = "not-returned"

        /// Of a connected account, which sells things of its own and writes its own metadata.
        case connectedAccount = "connected-account"

        /// A test event where the key moves money, or the other way round.
        case otherMode = "other-mode"
    }
}

extension StripeEvent {
    /// The types that a webhook endpoint has to be sent, in the order in which the guide names them. `invoice.paid` says
    /// the same as `invoice.payment_succeeded`, which is understood as well.
    package static let neededTypes = [
        "checkout.session.completed", "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed", "customer.subscription.created", "customer.subscription.updated",
        "customer.subscription.deleted", "customer.subscription.paused", "customer.subscription.resumed",
        "invoice.paid", "invoice.payment_failed", "customer.deleted",
    ]

    /// The types that it has to be sent besides, where the plan ends with the payment (``ReturnedPaymentRule/end``).
    package static let typesOfReturnedPayments = ["charge.refunded", "charge.dispute.closed"]

    /// What this event means for billing. Depends on nothing but the event.
    package var meaning: StripeEventEffect {
        guard connectedAccount == nil else { return .ignored(.connectedAccount) }
        return switch object {
        case .checkout(let checkout): meaning(of: checkout)
        case .subscription(let facts): meaning(ofSubscription: facts)
        case .invoice(let facts, let collection): meaning(ofInvoice: facts, collection)
        case .customer(let facts):
            facts.customerID == nil ? .ignored(.notForSubscription) : change(.customerDeleted, facts)
        case .payment(let facts, let isReturned):
            isReturned && facts.paymentID != nil ? change(.paymentReturned, facts) : .ignored(.notReturned)
        case .other: .ignored(.otherType)
        }
    }

    private func meaning(of checkout: StripeObject.Checkout) -> StripeEventEffect {
        let kind: SubscriptionChange.Kind
        switch type {
        case "checkout.session.completed", "checkout.session.async_payment_succeeded": kind = .checkoutPaid
        case "checkout.session.async_payment_failed": kind = .paymentFailed
        default: return .ignored(.otherType)
        }
        guard checkout.isForSubscription else { return .ignored(.notForSubscription) }
        guard checkout.isPaid || kind == .paymentFailed else { return .ignored(.notPaidYet) }
        return change(kind, checkout.facts)
    }

    private func meaning(ofSubscription facts: SubscriptionFacts) -> StripeEventEffect {
        switch type {
        case "customer.subscription.created", "customer.subscription.updated", "customer.subscription.paused",
            "customer.subscription.resumed":
            change(.subscription, facts)
        case "customer.subscription.deleted": change(.deleted, facts)
        default: .ignored(.otherType)
        }
    }

    private func meaning(
        ofInvoice facts: SubscriptionFacts, _ collection: SubscriptionChange.InvoiceCollection?
    ) -> StripeEventEffect {
        let kind: SubscriptionChange.Kind
        switch type {
        case "invoice.paid", "invoice.payment_succeeded": kind = .paymentSucceeded
        case "invoice.payment_failed": kind = .paymentFailed
        default: return .ignored(.otherType)
        }
        guard facts.subscriptionID != nil else { return .ignored(.notForSubscription) }
        return change(kind, facts, collection)
    }

    private func change(
        _ kind: SubscriptionChange.Kind, _ facts: SubscriptionFacts,
        _ collection: SubscriptionChange.InvoiceCollection? = nil
    ) -> StripeEventEffect {
        .subscriptionChanged(
            SubscriptionChange(kind: kind, eventID: id, eventTime: created, facts: facts, collection: collection))
    }
}
