/// What billing says of a user's plan: the summary of the user's ``Purchases`` that admissions read.
package struct SubscriptionRecord: Sendable, Hashable {
    /// The plan that was bought. What it grants today depends on the status: ``grantedPlan(at:pastDueGraceSeconds:)``.
    package var plan: String
    package var status: SubscriptionStatus
    package var customerID: String?
    package var subscriptionID: String?

    /// When the subscription began.
    package var startedAt: UnixTime?

    /// The span that is paid for.
    package var period: SubscriptionPeriod?

    /// When the subscription ends, if that is decided.
    package var endsAt: UnixTime?

    /// When its trial ends. Nil unless the status is ``SubscriptionStatus/trialing``.
    package var trialEnd: UnixTime?

    /// Invoices are not collected; the customer is served all the same.
    package var collectionPause: Subscription.CollectionPause?

    /// Since when a payment is owed. Nil unless the status is ``SubscriptionStatus/pastDue``.
    package var pastDueSince: UnixTime?

    /// What the user has when the grace of that payment is over: the plan of another subscription. Nil for the fallback.
    package var planAfterGrace: String?

    /// The span that is paid for of that other subscription. Nil where no subscription stands behind the plan.
    package var periodAfterGrace: SubscriptionPeriod?

    /// When this record was written, by our clock.
    package var writtenAt: UnixTime

    /// When Clerk was told what this record says. Nil while it was not.
    package var clerkUpdatedAt: UnixTime?

    /// Counts how often the record was written.
    package var revision: Int64

    package init(
        plan: String, status: SubscriptionStatus, customerID: String? = nil, subscriptionID: String? = nil,
        startedAt: UnixTime? = nil, period: SubscriptionPeriod? = nil, endsAt: UnixTime? = nil,
        trialEnd: UnixTime? = nil, collectionPause: Subscription.CollectionPause? = nil, pastDueSince: UnixTime? = nil,
        planAfterGrace: String? = nil, periodAfterGrace: SubscriptionPeriod? = nil, writtenAt: UnixTime,
        clerkUpdatedAt: UnixTime? = nil, revision: Int64 = 0
    ) {
        self.plan = plan
        self.status = status
        self.customerID = customerID
        self.subscriptionID = subscriptionID
        self.startedAt = startedAt
        self.period = period
        self.endsAt = endsAt
        self.trialEnd = trialEnd
        self.collectionPause = collectionPause
        self.pastDueSince = pastDueSince
        self.planAfterGrace = planAfterGrace
        self.periodAfterGrace = periodAfterGrace
        self.writtenAt = writtenAt
        self.clerkUpdatedAt = clerkUpdatedAt
        self.revision = revision
    }

    /// Whether `other` says the same of the user's plan, whenever it was written.
    package func says(as other: SubscriptionRecord) -> Bool {
        var (one, other) = (self, other)
        (one.writtenAt, one.clerkUpdatedAt, one.revision) = (other.writtenAt, other.clerkUpdatedAt, other.revision)
        // A moment that is not told by whole seconds is not kept so either.
        (one.pastDueSince, other.pastDueSince) = (one.pastDueSince?.wholeSeconds, other.pastDueSince?.wholeSeconds)
        return one == other
    }

    /// An operator has given the plan: no subscription stands behind it.
    package var isByHand: Bool { subscriptionID == nil }

    /// The plan that the user has at `time`: the one that was bought while the subscription is paid for, on trial or
    /// not too long past due, else that of another subscription, else the fallback.
    package func grantedPlan(at time: UnixTime, pastDueGraceSeconds: Int64) -> String {
        guard status.isLive else { return PlanTable.fallbackName }
        guard graceIsOver(at: time, pastDueGraceSeconds: pastDueGraceSeconds) else { return plan }
        return planAfterGrace ?? PlanTable.fallbackName
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

extension UnixTime {
    fileprivate var wholeSeconds: UnixTime { UnixTime(seconds: seconds) }
}
