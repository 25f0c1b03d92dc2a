import TollgateCore

/// A `subscription`, from an event or from the API.
package struct SubscriptionObject: Sendable, Hashable {
    /// `sub_…`
    package let id: String

    /// `cus_…`
    package let customerID: String?

    /// Where it stands in its life.
    package let status: SubscriptionStatus

    /// When it began: of two subscriptions of one user the later counts.
    package let createdAt: UnixTime?

    /// What was put there at checkout or later.
    package let metadata: [String: String]

    /// `price_…` of each of its items, in their order.
    package let priceIDs: [String]

    /// When what is paid for now began.
    package let periodStart: UnixTime?

    /// When what is paid for now ends.
    package let periodEnd: UnixTime?

    /// It will not be renewed.
    package let cancelAtPeriodEnd: Bool

    /// When it will be cancelled, which need not be the period's end.
    package let cancelAt: UnixTime?

    init(_ object: JSON) throws(UnexpectedShape) {
        id = try object.required("id", \.text)
        status = SubscriptionStatus(try object.required("status", \.text))
        customerID = object["customer"].identifier
        createdAt = object["created"].moment
        metadata = object["metadata"].texts
        let items = object["items"]["data"].elements
        // Before there were prices there were plans, and old subscriptions have both.
        priceIDs = items.compactMap { $0["price"].identifier ?? $0["plan"].identifier }
        let period = Self.period(of: object) ?? items.compactMap(Self.period).max { $0.end < $1.end }
        periodStart = period?.start
        periodEnd = period?.end
        cancelAtPeriodEnd = object["cancel_at_period_end"].flag ?? false
        cancelAt = object["cancel_at"].moment
    }

    /// Up to version 2025-03-31.basil the subscription had a period, since then each item has its own. The item whose
    /// period ends last counts.
    private static func period(of object: JSON) -> (start: UnixTime?, end: UnixTime)? {
        object["current_period_end"].moment.map { (object["current_period_start"].moment, $0) }
    }
}
