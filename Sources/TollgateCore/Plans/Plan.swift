/// What a customer may do: calls per billing period, and calls per minute.
package struct Plan: Sendable, Hashable {
    /// The largest quota and rate: Lua's numbers in Redis are doubles, exact up to 2^53 - 1.
    package static let maximumLimit = 9_007_199_254_740_991

    package let name: String

    /// Calls in one billing period.
    package let quota: Int

    /// Calls in one clock minute.
    package let ratePerMinute: Int

    /// What the quota's periods go by.
    package let period: BillingPeriod.Kind

    /// When the operator is told that a user uses the quota up.
    package let alerts: AlertThresholds

    package init(
        name: String, quota: Int, ratePerMinute: Int, period: BillingPeriod.Kind = .calendar,
        alerts: AlertThresholds = .standard
    ) {
        self.alerts = alerts
        self.name = name
        self.quota = quota
        self.ratePerMinute = ratePerMinute
        self.period = period
    }

    /// A plan's name stands in tokens, metadata and Redis values: lower-case letters, digits, `_` and `-`, at most 64.
    package static func isValidName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
