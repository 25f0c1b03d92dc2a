/// What billing says of a user's plan: the newest that is known of the subscription that counts.
package struct SubscriptionRecord: Sendable, Hashable {
    /// The plan that was bought. What it grants today depends on the status: ``grantedPlan(at:pastDueGraceSeconds:)``.
    package var plan: String
    package var status: SubscriptionStatus
    package var customerID: String?
    package var subscriptionID: String?

    /// When the subscription began: of two subscriptions the later one counts.
    package var startedAt: UnixTime?

    /// The span that is paid for.
    package var period: SubscriptionPeriod?

    /// When the event that this record was taken from was made, by Stripe's clock.
    package var eventTime: UnixTime
    package var eventID: String

    /// Since when a payment is owed. Nil unless the status is ``SubscriptionStatus/pastDue``.
    package var pastDueSince: UnixTime?

    /// When this record was written, by our clock.
    package var writtenAt: UnixTime

    /// When Clerk was told what this record says. Nil while it was not.
    package var clerkUpdatedAt: UnixTime?

    package init(
        plan: String, status: SubscriptionStatus, customerID: String? = nil, subscriptionID: String? = nil,
        startedAt: UnixTime? = nil, period: SubscriptionPeriod? = nil, eventTime: UnixTime, eventID: String,
        pastDueSince: UnixTime? = nil, writtenAt: UnixTime, clerkUpdatedAt: UnixTime? = nil
    ) {
        self.plan = plan
        self.status = status
        self.customerID = customerID
        self.subscriptionID = subscriptionID
        self.startedAt = startedAt
        self.period = period
        self.eventTime = eventTime
        self.eventID = eventID
        self.pastDueSince = pastDueSince
        self.writtenAt = writtenAt
        self.clerkUpdatedAt = clerkUpdatedAt
    }

    /// The plan that the user has at `time`: the one that was bought while the subscription is paid for, on trial or
    /// not too long past due, else the fallback.
    package func grantedPlan(at time: UnixTime, pastDueGraceSeconds: Int64) -> String {
        let isGranted = status.isLive && !graceIsOver(at: time, pastDueGraceSeconds: pastDueGraceSeconds)
        return isGranted ? plan : PlanTable.fallbackName
    }

    /// When the grace of a payment that is owed ends. Nil when none is owed, or the record does not say since when.
    package func graceEnd(pastDueGraceSeconds: Int64) -> UnixTime? {
        pastDueSince?.adding(seconds: pastDueGraceSeconds)
    }

    /// Whether a payment has been owed for `pastDueGraceSeconds` or longer, or since no known moment.
    package func graceIsOver(at time: UnixTime, pastDueGraceSeconds: Int64) -> Bool {
        guard status == .pastDue else { return false }
        guard let end = graceEnd(pastDueGraceSeconds: pastDueGraceSeconds) else { return true }
        return end.seconds <= time.seconds
    }
}

/// The span of time that a customer has paid for.
package struct SubscriptionPeriod: Sendable, Hashable {
    package let start: UnixTime
    package let end: UnixTime

    package init(start: UnixTime, end: UnixTime) {
        self.start = start
        self.end = end
    }
}
