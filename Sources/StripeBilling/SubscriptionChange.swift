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

        /// A customer was deleted, and with it every subscription of theirs has ended.
        case customerDeleted = "customer-deleted"

        /// A payment was given back in full, or taken back by the customer's bank.
        case paymentReturned = "payment-returned"
    }

    /// What happened.
    package let kind: Kind

    /// `evt_…` of the event that says so.
    package let eventID: String

    /// When it happened, in whole seconds.
    package let eventTime: UnixTime

    /// What is told of the subscription.
    package var facts: SubscriptionFacts

    /// The try to collect an invoice that it tells of.
    package let collection: InvoiceCollection?

    /// A try to collect an invoice.
    package struct InvoiceCollection: Sendable, Hashable {
        /// `in_…`
        package let invoiceID: String

        /// From 1.
        package let attempt: Int
    }

    /// What one event says.
    package init(
        kind: Kind, eventID: String, eventTime: UnixTime, facts: SubscriptionFacts,
        collection: InvoiceCollection? = nil
    ) {
        self.collection = collection
        self.kind = kind
        self.eventID = eventID
        self.eventTime = eventTime
        self.facts = facts
    }
}

/// What becomes of a plan whose payment was given back in full, or taken back by the customer's bank in a dispute that is
/// lost. Stripe lets the subscription go on either way.
package enum ReturnedPaymentRule: String, Sendable, Hashable, CaseIterable {
    /// The user keeps the plan.
    case keep

    /// The plan ends, until a later period is paid for.
    case end
}

/// What becomes of a plan whose subscription was changed to a price that is none of ours, such as by the customer portal.
package enum UnknownPriceRule: String, Sendable, Hashable, CaseIterable {
    /// The user has the fallback.
    case free

    /// The user keeps the plan.
    case keep
}

extension Subscription {
    /// The subscription as Stripe says that it is.
    ///
    /// The prices decide which plan it grants. What its metadata names counts only for the price that the metadata names
    /// too, or else for the prices that the subscription had when it was first seen: a customer who changes it in the portal
    /// pays another price and keeps the metadata.
    ///
    /// - Parameters:
    ///   - facts: What Stripe says now. Nil comes back without an id and a status.
    ///   - known: The same subscription as it was seen before. Nil for one that was never seen.
    ///   - returnedAt: When the payment of its present period was returned, if an event tells so.
    ///   - latestInvoice: If it was asked for.
    ///   - seenAt: When Stripe began to be asked, by the clock that orders looks.
    ///   - now: Since when a payment is owed, if none was before.
    package init?(
        _ facts: SubscriptionFacts, known: Subscription?, prices: PriceTable, unknownPrice: UnknownPriceRule,
        returnedAt: UnixTime? = nil, latestInvoice: StripeInvoice? = nil, seenAt: UnixTime, now: UnixTime
    ) {
        guard let id = facts.subscriptionID, var status = facts.status else { return nil }
        // Stripe does not tell with the subscription: what was returned is remembered for as long as its period lasts.
        let returned = (returnedAt ?? known?.paymentReturnedAt).flatMap { moment in
            // A draft, and an invoice that is not paid, bring nothing back.
            facts.period.map { $0.start > moment } == true && latestInvoice?.isPaid != false ? nil : moment
        }
        if returned != nil, status.isLive { status = .paymentReturned }
        let kept = unknownPrice == .keep ? known?.plan : nil
        let first = known?.firstPriceIDs ?? []
        self.init(
            id: id, customerID: facts.customerID, status: status,
            plan: facts.soldPlan(known: known, prices: prices) ?? kept, priceIDs: facts.priceIDs,
            firstPriceIDs: first.isEmpty ? facts.priceIDs : first, soldAs: known?.soldAs ?? facts.namedPlan,
            startedAt: facts.startedAt, period: facts.period, endsAt: status.isFinal ? nil : facts.endsAt,
            trialEnd: facts.trialEnd, collectionPause: facts.collectionPause,
            pastDueSince: status == .pastDue ? min(now, latestInvoice?.dueSince ?? now) : nil,
            paymentReturnedAt: returned, seenAt: seenAt)
    }
}

extension StripeInvoice {
    /// Nil when it is paid.
    fileprivate var dueSince: UnixTime? { isPaid ? nil : finalizedAt }
}

extension SubscriptionFacts {
    /// The plan that is sold: by the prices, else by what the metadata names, as long as the subscription has the price that
    /// the metadata names too, or else those that it had when it was first seen. Nil when it is none of ours.
    ///
    /// - Parameter known: The same subscription as it was seen before. Nil for one that was never seen.
    package func soldPlan(known: Subscription?, prices: PriceTable) -> String? {
        if let plan = prices.plan(soldBy: priceIDs) { return plan }
        let sold = soldPriceID.map { [$0] } ?? known?.firstPriceIDs ?? []
        guard sold.allSatisfy(priceIDs.contains) else { return nil }
        return namedPlan ?? known?.soldAs
    }

    /// What the metadata says that is sold.
    fileprivate var namedPlan: String? { tier.flatMap { Plan.isValidName($0) ? $0 : nil } }
}
