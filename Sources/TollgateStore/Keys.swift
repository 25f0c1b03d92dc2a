import TollgateCore

/// Every key that Tollgate writes, in one place.
///
/// One rule: an identifier inside a key stands in braces, literally. The braces are Redis Cluster's hash tag
/// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags): all of one user's keys lie
/// in one slot, and one script can touch them together.
package enum Keys {
    /// Hash: `usageCount plan lastUpdated periodStart periodEnd`. Kept for a month after the period's end.
    package static func usage(_ user: UserID) -> String { "usage:{\(user.value)}" }

    /// String: the requests of one clock minute. Kept for 120 seconds.
    package static func rateLimit(_ user: UserID, _ window: RateWindow) -> String {
        "ratelimit:{\(user.value)}:\(window.minute)"
    }

    /// Hash: what billing says of the user's plan.
    package static func subscription(_ user: UserID) -> String { "subscription:{\(user.value)}" }
}
