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
}

/// What became of an update.
package enum SubscriptionOutcome: Sendable, Hashable {
    /// The update counts; this is the new record.
    case applied(SubscriptionRecord)

    /// The record comes from this very event: what was interrupted after writing it goes on from here.
    case alreadyApplied(SubscriptionRecord)

    /// Something newer is recorded, or the update is about a subscription that does not count. Nothing to do.
    case stale

    /// Neither the update nor the record is known to be the newer. Fetch the subscription from Stripe and apply what
    /// it says, with ``SubscriptionUpdate/isAuthoritative``.
    case tie

    /// This record is of another subscription, which began earlier and serves the user, as far as is known; and the
    /// update is about one that does not. Ask Stripe whether the recorded one has ended, and if so, apply the update
    /// with ``SubscriptionUpdate/endedRivalID``. Else there is nothing to do.
    case rivalry(SubscriptionRecord)
}
