/// One subscription, as the payment provider said that it was when it was asked.
package struct Subscription: Sendable, Hashable {
    /// Such as `sub_1Abc`.
    package let id: String

    package var customerID: String?
    package var status: SubscriptionStatus

    /// The plan that it grants while it is live. Nil when it sells none of ours any more.
    package var plan: String?

    /// The prices of its items, and those that it had when it was first seen: what its metadata was written for.
    package var priceIDs: [String]
    package var firstPriceIDs: [String]

    /// The plan that was named beside the first prices, where no price tells: the checkout's metadata is not the
    /// subscription's, and is seen once.
    package var soldAs: String?

    /// When it began.
    package var startedAt: UnixTime?

    /// The span that is paid for. While a payment is owed it is the one before, if that was seen.
    package var period: SubscriptionPeriod?

    /// When it ends, if that is decided: at the end of the period, or on a day.
    package var endsAt: UnixTime?

    /// When its trial ends, or has ended.
    package var trialEnd: UnixTime?

    /// Invoices are not collected, until when is not known or the moment is. It goes on serving the customer.
    package var collectionPause: CollectionPause?

    package enum CollectionPause: Sendable, Hashable {
        case untilFurtherNotice
        case until(UnixTime)
    }

    /// Since when a payment is owed. Nil unless the status is ``SubscriptionStatus/pastDue``.
    package var pastDueSince: UnixTime?

    /// When what was paid for the present period was given or taken back. Nil unless the plan is to end with that.
    package var paymentReturnedAt: UnixTime?

    /// When the provider began to be asked, by the clock that all workers go by.
    package var seenAt: UnixTime

    package init(
        id: String, customerID: String? = nil, status: SubscriptionStatus, plan: String? = nil, priceIDs: [String] = [],
        firstPriceIDs: [String] = [], soldAs: String? = nil, startedAt: UnixTime? = nil,
        period: SubscriptionPeriod? = nil, endsAt: UnixTime? = nil, trialEnd: UnixTime? = nil,
        collectionPause: CollectionPause? = nil, pastDueSince: UnixTime? = nil,
        paymentReturnedAt: UnixTime? = nil, seenAt: UnixTime
    ) {
        self.id = id
        self.customerID = customerID
        self.status = status
        self.plan = plan
        self.priceIDs = priceIDs
        self.firstPriceIDs = firstPriceIDs
        self.soldAs = soldAs
        self.startedAt = startedAt
        self.period = period
        self.endsAt = endsAt
        self.trialEnd = trialEnd
        self.collectionPause = collectionPause
        self.pastDueSince = pastDueSince
        self.paymentReturnedAt = paymentReturnedAt
        self.seenAt = seenAt
    }

    /// Whether it grants its plan at `time`: not when a payment has been owed for too long.
    package func serves(at time: UnixTime, pastDueGraceSeconds: Int64) -> Bool {
        guard status.isLive, plan != nil else { return false }
        guard status == .pastDue else { return true }
        guard let pastDueSince else { return false }
        return pastDueSince.adding(seconds: pastDueGraceSeconds) > time
    }

    /// Whether `other` says the same, whenever it was seen.
    package func says(as other: Subscription) -> Bool {
        var (one, other) = (self, other)
        (one.seenAt, one.pastDueSince) = (other.seenAt, other.pastDueSince)
        // The provider tells of the span that is not paid yet.
        if one.status == .pastDue { one.period = other.period }
        // What is not told again stays.
        other.startedAt = other.startedAt ?? one.startedAt
        other.customerID = other.customerID ?? one.customerID
        return one == other
    }

    /// Whether `other`, of the same subscription, is to stand in the place of this. What was seen later counts, but no
    /// subscription comes back from its end: an end counts whatever else was seen, and whenever.
    package func yields(to other: Subscription) -> Bool {
        guard status.isFinal == other.status.isFinal else { return other.status.isFinal }
        return other.seenAt >= seenAt
    }
}
