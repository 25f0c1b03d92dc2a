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

    /// Hash: what billing says of the user's plan. Kept for good.
    package static func subscription(_ user: UserID) -> String { "subscription:{\(user.value)}" }

    /// String: the token of the worker whose turn it is to tell Clerk of the user's plan. Kept for ten seconds at most.
    package static func clerkTurn(_ user: UserID) -> String { "subscription:{\(user.value)}:clerk" }

    /// String: whose customer this is, for events that name no user. Kept for good.
    package static func customerUser(customerID: String) -> String { "customer:{\(customerID)}:userId" }

    /// String: `claimed <token>` while a worker is at the event, for the length of its lease; then the moment it was
    /// done, for 30 days.
    package static func webhook(eventID: String) -> String { "webhook:stripe:{\(eventID)}" }

    /// String: `plt_…`. Kept for good, like the three below.
    package static func platformID(of user: UserID) -> String { "user:{\(user.value)}:platformId" }

    /// String: `pk_live_…`.
    package static func apiKey(of user: UserID) -> String { "user:{\(user.value)}:apiKey" }

    /// String: the user that a platform belongs to.
    package static func platformUser(_ platformID: String) -> String { "platform:{\(platformID)}:userId" }

    /// String: the platform that an API key belongs to. The key itself is not in the name.
    ///
    /// - Parameter hex: The SHA-256 of the whole key in 64 lower-case hexadecimal digits.
    package static func apiKey(sha256 hex: String) -> String { "apikey:{\(hex)}" }
}
