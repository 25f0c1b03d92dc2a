import TollgateCore

/// Every key that Tollgate writes, in one place.
///
/// One rule: an identifier inside a key stands in braces, literally. The braces are Redis Cluster's hash tag
/// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags): all of one user's keys lie
/// in one slot, and one script can touch them together.
package enum Keys {
    /// Hash: `usageCount plan lastUpdated periodStart periodEnd`. Kept for a month after the period's end.
    package static func usage(_ user: UserID) -> String { KeyName.usage(user).description }

    /// Hash: the calls that were charged on one day, by route. Kept for 32 days.
    package static func usage(_ user: UserID, on day: CalendarDay) -> String { "usage:{\(user.value)}:\(day)" }

    /// Hash: the number of the last batch of calls that each worker has booked after it could not reach Redis, by the
    /// worker's id. Kept for a week after the last one.
    package static func booked(_ user: UserID) -> String { "booked:{\(user.value)}" }

    /// Sorted set: the user's open reservations, scored by the moment when their lease ends (YYYYMMDDhhmmss). A member
    /// is `<id> <calls> <first day of the period> <day> <route>`, with the idempotency key behind it if there is one.
    /// Kept as long as the usage.
    package static func reservations(_ user: UserID) -> String { "reservations:{\(user.value)}" }

    /// Hash: `fingerprint until calls attempt leaseUntil state` of a call that may be repeated, and `status head body` of
    /// its answer where that is kept. Kept for 24 hours. `idempotency:{user}` is a sorted set of the user's keys and
    /// `idempotency:{user}:answers` one of `<bytes> <key>` for answers that are kept, both by when they are forgotten
    /// (YYYYMMDDhhmmss); the scripts make their names.
    package static func idempotency(_ user: UserID, key: String) -> String {
        KeyName.idempotency(user, key: key).description
    }

    /// Sorted set: the ids of the user's keys that are not revoked, scored by the moment when they were made
    /// (YYYYMMDDhhmmss). Kept for good.
    package static func keys(of user: UserID) -> String { "keys:{\(user.value)}" }

    /// Strings: how often the user's keys were changed in one minute and on one day. Kept for 120 seconds and two days.
    package static func keyChanges(of user: UserID, at time: UnixTime) -> [String] {
        ["\(RateWindow(containing: time).minute)", "\(CalendarDay(containing: time))"].map {
            "keys:{\(user.value)}:changes:\($0)"
        }
    }

    /// Hash: `hash name mode scopes createdAt expiresAt status lastUsedAt previousHash previousUntil previousUsedAt` of
    /// a secret key. Kept for good, or for a week after its end. Of one that was revoked, and of one that has expired
    /// and made room for another, `hash status revokedAt expiresAt previousHash` are kept for a week; of those
    /// `keys:{userId}:ended` has the ids (sorted set, scored by when they ended).
    package static func key(_ id: KeyID, of user: UserID) -> String { KeyName.key(id, of: user).description }

    /// String: the requests of one clock minute. Kept for 120 seconds.
    package static func rateLimit(_ user: UserID, _ window: RateWindow) -> String {
        KeyName.rateLimit(user, minute: "\(window.minute)").description
    }

    /// String: the requests of one clock minute on a route that has a rate of its own. Kept for 120 seconds.
    package static func rateLimit(_ user: UserID, route: String, _ window: RateWindow) -> String {
        KeyName.rateLimit(user, route: route, minute: "\(window.minute)").description
    }

    /// Hash: what billing says of the user's plan. Kept for good.
    package static func subscription(_ user: UserID) -> String { KeyName.subscription(user).description }

    /// String: the token of the worker whose turn it is to tell Clerk of the user's plan. Kept for ten seconds at most.
    package static func clerkTurn(_ user: UserID) -> String { "subscription:{\(user.value)}:clerk" }

    /// String: whose customer this is, for events that name no user. Kept for good.
    package static func customerUser(customerID: String) -> String { "customer:{\(customerID)}:userId" }

    /// String: `claimed <token>` while a worker is at the event, for the length of its lease; then the moment it was
    /// done, for 30 days.
    package static func webhook(eventID: String) -> String { "webhook:stripe:{\(eventID)}" }

    /// String: `plt_…`. Kept for good.
    package static func platformID(of user: UserID) -> String { "user:{\(user.value)}:platformId" }

    /// String: `pk_live_…`. Kept until it is revoked.
    package static func apiKey(of user: UserID) -> String { KeyName.apiKey(of: user).description }

    /// Hash: `apiKey status until` of the key before that one, or `apiKey status revokedAt` of one that was revoked. Kept
    /// for a week after its end.
    package static func previousAPIKey(of user: UserID) -> String { KeyName.previousAPIKey(of: user).description }

    /// String: the user that a platform belongs to. Kept for good.
    package static func platformUser(_ platformID: String) -> String { "platform:{\(platformID)}:userId" }

    /// String: the platform that an API key belongs to. The key itself is not in the name. Kept for good, or for a week
    /// after the key's end.
    ///
    /// - Parameter hex: The SHA-256 of the whole key in 64 lower-case hexadecimal digits.
    package static func apiKey(sha256 hex: String) -> String { "apikey:{\(hex)}" }

    /// String: whom a ticket stands for, and until when. Kept for 30 seconds. The ticket itself is not in the name.
    ///
    /// - Parameter hex: The SHA-256 of the whole ticket in 64 lower-case hexadecimal digits.
    package static func ticket(of user: UserID, sha256 hex: String) -> String { "ticket:{\(user.value)}:{\(hex)}" }

    /// Hash: what a worker tells of itself. Kept for 15 seconds after its last report.
    package static func worker(_ id: String) -> String { "worker:{\(id)}" }

    /// Sorted set: the ids of the workers, scored by when they were seen last (unix seconds).
    package static let workers = "workers"

    /// Sorted set: who called most on one day (UTC), scored by calls. Kept for two days.
    package static func topUsers(on day: CalendarDay) -> String { "topusers:{\(day)}" }

    /// Sorted set: Stripe's events that failed and wait to be sent again, scored by when they failed first (unix
    /// seconds).
    package static let waitingWebhooks = "webhooks:waiting"
}
