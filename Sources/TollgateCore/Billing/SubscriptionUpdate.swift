/// What one event says of a user's subscription.
package struct SubscriptionUpdate: Sendable, Hashable {
    package let userID: UserID

    /// The plan that was bought. Nil when the event does not say; the recorded one is kept then.
    package let plan: String?
    package let status: SubscriptionStatus

    /// Nil when the event does not say, like the four members below: what is recorded of the subscription is kept.
    package let customerID: String?
    package let subscriptionID: String?

    /// When the subscription began (Stripe's `created` of the subscription, not of the event).
    package let startedAt: UnixTime?
    package let period: SubscriptionPeriod?

    /// Stripe's `created` of the event: whole seconds, so two events may have the same.
    package let eventTime: UnixTime
    package let eventID: String

    /// The contents were fetched from Stripe to settle this event, and so they win where times do not tell.
    package let isAuthoritative: Bool

    /// Another subscription of the user, recorded as live, of which Stripe says that it has ended. Nil when it was not
    /// asked for one.
    package var endedRivalID: String?

    package init(
        userID: UserID, plan: String? = nil, status: SubscriptionStatus, customerID: String? = nil,
        subscriptionID: String? = nil, startedAt: UnixTime? = nil, period: SubscriptionPeriod? = nil,
        eventTime: UnixTime, eventID: String, isAuthoritative: Bool = false, endedRivalID: String? = nil
    ) {
        self.userID = userID
        self.plan = plan
        self.status = status
        self.customerID = customerID
        self.subscriptionID = subscriptionID
        self.startedAt = startedAt
        self.period = period
        self.eventTime = eventTime
        self.eventID = eventID
        self.isAuthoritative = isAuthoritative
        self.endedRivalID = endedRivalID
    }

    /// The subscription has ended for good. Of two events of one second this one counts.
    package var isDeletion: Bool { status.isFinal }
}
