/// Something that the operator is told of, once.
package enum Alert: Sendable, Hashable {
    case quotaThreshold(QuotaThreshold)
    case paymentFailed(FailedPayment)
    case keyExpiring(ExpiringKey)

    /// What sort it is. The raw value is told to the receiver, and is the label of the metrics.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case quotaThreshold = "quota.threshold"
        case paymentFailed = "payment.failed"
        case keyExpiring = "key.expiring"
    }

    /// A way on which alerts are sent. Each has a delivery of its own, which does not know of the others'. The raw value is
    /// shown, is the label of the metrics, and stands in the names of keys.
    package enum Channel: String, Sendable, Hashable, CaseIterable {
        case webhook
        case email
    }

    /// A user has used so much of a quota.
    package struct QuotaThreshold: Sendable, Hashable {
        package let user: UserID
        package let plan: String
        package let period: BillingPeriod
        package let percent: Int

        /// Calls of the period when it was seen.
        package let used: Int
        package let limit: Int

        package init(user: UserID, plan: String, period: BillingPeriod, percent: Int, used: Int, limit: Int) {
            self.user = user
            self.plan = plan
            self.period = period
            self.percent = percent
            self.used = used
            self.limit = limit
        }
    }

    /// A payment for a user's subscription did not come in.
    package struct FailedPayment: Sendable, Hashable {
        package let user: UserID

        /// `cus_…`, where it is known.
        package let customerID: String?

        /// `sub_…`
        package let subscriptionID: String

        /// `in_…`
        package let invoiceID: String

        /// Of the tries to collect it, from 1.
        package let attempt: Int

        package init(user: UserID, customerID: String?, subscriptionID: String, invoiceID: String, attempt: Int) {
            self.user = user
            self.customerID = customerID
            self.subscriptionID = subscriptionID
            self.invoiceID = invoiceID
            self.attempt = attempt
        }
    }

    /// A key ends soon.
    package struct ExpiringKey: Sendable, Hashable {
        /// How long before its end it is told.
        package static let noticeSeconds: Int64 = 7 * 86_400

        package let user: UserID
        package let keyID: KeyID

        /// As its owner has called it.
        package let name: String
        package let expiresAt: UnixTime

        package init(user: UserID, keyID: KeyID, name: String, expiresAt: UnixTime) {
            self.user = user
            self.keyID = keyID
            self.name = name
            self.expiresAt = expiresAt
        }
    }

    package var kind: Kind {
        switch self {
        case .quotaThreshold: .quotaThreshold
        case .paymentFailed: .paymentFailed
        case .keyExpiring: .keyExpiring
        }
    }

    package var user: UserID {
        switch self {
        case .quotaThreshold(let alert): alert.user
        case .paymentFailed(let alert): alert.user
        case .keyExpiring(let alert): alert.user
        }
    }

    /// What it is about, in words that are the same whoever sees it and however often: what makes it one alert. A user who
    /// gets another plan comes to the thresholds of that plan in the same period.
    package var subject: String {
        let words: [String] =
            switch self {
            case .quotaThreshold(let alert):
                [alert.user.value, alert.period.name, alert.plan, "\(alert.percent)"]
            case .paymentFailed(let alert): [alert.invoiceID, "\(alert.attempt)"]
            case .keyExpiring(let alert): [alert.keyID.value, alert.expiresAt.iso8601]
            }
        return ([kind.rawValue] + words).joined(separator: " ")
    }

    /// Until when it may be found again, and has to be known as told. Nil for one that is not looked for.
    package var mayBeFoundUntil: UnixTime? {
        switch self {
        case .quotaThreshold(let alert): alert.period.end.adding(seconds: Self.foundAfterPeriodSeconds)
        case .keyExpiring(let alert): alert.expiresAt
        case .paymentFailed: nil
        }
    }

    /// How long after the end of a period it is looked for what was not told of it.
    package static let foundAfterPeriodSeconds: Int64 = 86_400
}
