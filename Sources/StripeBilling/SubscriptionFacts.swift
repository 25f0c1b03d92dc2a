import JSONValue
package import TollgateCore

/// What one of Stripe's objects tells of a subscription: the subscription itself, a checkout or an invoice. Nil, and empty,
/// is what it does not tell.
package struct SubscriptionFacts: Sendable, Hashable {
    /// `sub_…`
    package var subscriptionID: String?

    /// The user whom its metadata names, which only the account's owner writes.
    package var userID: UserID?

    /// `cus_…`
    package var customerID: String?

    /// The plan's name, from the metadata that was set at checkout.
    package var tier: String?

    /// The price that the tier was sold at, from the same metadata.
    package var soldPriceID: String?

    /// `price_…` of each of its items, in their order: what is sold, for a subscription that was made elsewhere and has no
    /// tier.
    package var priceIDs: [String] = []

    /// Where the subscription stands in its life.
    package var status: SubscriptionStatus?

    /// When the subscription began: of two subscriptions of one user the later counts.
    package var startedAt: UnixTime?

    /// What is paid for now.
    package var period: SubscriptionPeriod?

    /// `in_…`: the newest, which may be a draft.
    package var latestInvoiceID: String?

    /// When it ends, if that is decided: on a day (`cancel_at`), or at the end of the period (`cancel_at_period_end`).
    package var endsAt: UnixTime?

    /// When its trial ends, or has ended.
    package var trialEnd: UnixTime?

    /// Invoices are not collected (`pause_collection`).
    package var collectionPause: Subscription.CollectionPause?

    /// The user that the payer of a payment link has named: `client_reference_id`, which anyone may choose.
    package var reference: UserID?

    /// `pi_…`: the payment that the event is about. Which invoice it was for, Stripe has to be asked.
    package var paymentID: String?

    /// That nothing is told.
    package init() {}
}

extension SubscriptionFacts {
    /// What a `subscription` tells, from an event or from the API.
    init(subscription object: JSON) throws(UnexpectedShape) {
        self.init()
        subscriptionID = try object.required("id", \.nonEmptyString)
        status = SubscriptionStatus(try object.required("status", \.nonEmptyString))
        readMetadata(object["metadata"])
        customerID = object["customer"].identifier
        startedAt = object["created"].moment
        let items = object["items"]["data"].elements ?? []
        // Before there were prices there were plans, and old subscriptions have both.
        priceIDs = items.compactMap { $0["price"].identifier ?? $0["plan"].identifier }
        let period = Self.period(of: object) ?? items.compactMap(Self.period).max { $0.end < $1.end }
        if let period, let start = period.start {
            self.period = SubscriptionPeriod(
                start: start, end: period.end, anchor: object["billing_cycle_anchor"].moment)
        }
        latestInvoiceID = object["latest_invoice"].identifier
        endsAt = object["cancel_at"].moment ?? (object["cancel_at_period_end"].bool == true ? self.period?.end : nil)
        trialEnd = object["trial_end"].moment
        let pause = object["pause_collection"]
        if pause.members != nil {
            collectionPause = pause["resumes_at"].moment.map { .until($0) } ?? .untilFurtherNotice
        }
    }

    /// What a `checkout.session` tells: whose it is and what was bought. Its metadata is its own, which the subscription does
    /// not inherit.
    init(checkout object: JSON) {
        self.init()
        readMetadata(object["metadata"])
        reference = object["client_reference_id"].nonEmptyString.flatMap { UserID($0) }
        customerID = object["customer"].identifier
        subscriptionID = object["subscription"].identifier
    }

    /// What an `invoice` tells: whose it is and what is sold. What was paid for is in the subscription. Without a
    /// subscription it is one of a single purchase.
    ///
    /// Since version 2025-03-31.basil the subscription stands under `parent`, before that in the invoice itself.
    init(invoice object: JSON) {
        self.init()
        let details = object["parent"]["subscription_details"]
        // As it was when the invoice was made.
        readMetadata(
            details["metadata"].strings.isEmpty ? object["subscription_details"]["metadata"] : details["metadata"])
        customerID = object["customer"].identifier
        subscriptionID = details["subscription"].identifier ?? object["subscription"].identifier
        priceIDs = (object["lines"]["data"].elements ?? []).compactMap {
            $0["pricing"]["price_details"]["price"].identifier ?? $0["price"].identifier ?? $0["plan"].identifier
        }
    }

    /// What a `customer` tells: whose it is.
    init(customer object: JSON) {
        self.init()
        readMetadata(object["metadata"])
        customerID = object["id"].nonEmptyString
    }

    /// What a `charge` or a `dispute` tells: which payment it is about.
    init(payment object: JSON) {
        self.init()
        customerID = object["customer"].identifier
        paymentID = object["payment_intent"].identifier
    }

    private mutating func readMetadata(_ metadata: JSON) {
        let strings = metadata.strings
        userID = strings["userId"].flatMap { UserID($0) }
        tier = strings["tier"]
        soldPriceID = strings["priceId"]
    }

    /// Up to version 2025-03-31.basil the subscription had a period, since then each item has its own. The item whose
    /// period ends last counts.
    private static func period(of object: JSON) -> (start: UnixTime?, end: UnixTime)? {
        object["current_period_end"].moment.map { (object["current_period_start"].moment, $0) }
    }
}
