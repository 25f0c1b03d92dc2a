import Hiredis
import NIOCore
package import RedisClient
package import TollgateCore

/// The name of a key in Redis: one of the ``Pattern``s, and the identifiers in it. The hot path writes the parts one after
/// another, and makes no string of them.
///
/// One rule: an identifier inside a key stands in braces, literally. The braces are Redis Cluster's hash tag
/// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags): all of one user's keys lie
/// in one slot, and one script can touch them together.
package struct RedisKey: Sendable, Hashable, CustomStringConvertible {
    /// How the name looks.
    package let pattern: Pattern
    private let first: String
    private let second: String
    private let third: String

    /// - Parameters: What stands in the places of the pattern, from the left to the right.
    init(_ pattern: Pattern, _ first: String = "", _ second: String = "", _ third: String = "") {
        self.pattern = pattern
        self.first = first
        self.second = second
        self.third = third
    }

    /// ``text``
    package var description: String { text }

    /// The whole name.
    package var text: String {
        let literals = pattern.literals
        return literals.0 + first + literals.1 + second + literals.2 + third
    }

    /// Of a key's record, whose it is.
    var keyID: KeyID? { pattern == .key ? KeyID(second) : nil }

    /// Writes the name as an argument of a command.
    func write(to buffer: inout ByteBuffer) {
        let literals = pattern.literals
        buffer.writeArgument(parts: literals.0, first, literals.1, second, literals.2, third)
    }
}

// MARK: The keys by what stands in them

extension RedisKey {
    /// The calls of the billing period.
    package static func usage(_ user: UserID) -> RedisKey { RedisKey(.usage, user.value) }

    /// The history of the ten days of a month that `day` is one of, such as `2026-11-2` for the 20th to the 29th.
    package static func usage(_ user: UserID, inTenDaysOf day: CalendarDay) -> RedisKey {
        RedisKey(.usageOfTenDays, user.value, String(day.description.dropLast()))
    }

    /// The calls that were charged on one day, by route, as the release before wrote them. They end by themselves.
    static func formerUsage(_ user: UserID, on day: CalendarDay) -> RedisKey {
        RedisKey(.usageOfTenDays, user.value, day.description)
    }

    /// `plt_…`
    package static func platformID(of user: UserID) -> RedisKey { RedisKey(.platformID, user.value) }

    /// The platform's present key.
    package static func apiKey(of user: UserID) -> RedisKey { RedisKey(.apiKey, user.value) }

    /// Of the platform's key before the present one, or of one that was revoked.
    static func previousAPIKey(of user: UserID) -> RedisKey { RedisKey(.previousAPIKey, user.value) }

    /// Whose platform it is.
    static func platformUser(_ platformID: String) -> RedisKey { RedisKey(.platformUser, platformID) }

    /// The platform that a platform key belongs to. The key itself is not in the name.
    ///
    /// - Parameter hex: The SHA-256 of the whole key in 64 lower-case hexadecimal digits.
    package static func apiKey(sha256 hex: String) -> RedisKey { RedisKey(.platformOfAPIKey, hex) }

    /// The ids of the user's secret keys that are not revoked.
    package static func keys(of user: UserID) -> RedisKey { RedisKey(.keys, user.value) }

    /// How often the user's keys were changed in the clock minute of `time`.
    package static func keyChanges(of user: UserID, inMinuteOf time: UnixTime) -> RedisKey {
        RedisKey(.keyChanges, user.value, "\(RateWindow(containing: time).minute)")
    }

    /// How often the user's keys were changed on the day of `time`.
    package static func keyChanges(of user: UserID, onDayOf time: UnixTime) -> RedisKey {
        RedisKey(.keyChanges, user.value, "\(CalendarDay(containing: time))")
    }

    /// The record of a secret key.
    package static func key(_ id: KeyID, of user: UserID) -> RedisKey { RedisKey(.key, user.value, id.value) }

    /// Calls that may be given back.
    package static func reservations(_ user: UserID) -> RedisKey { RedisKey(.reservations, user.value) }

    /// The last batch of calls that each worker has booked after it could not reach Redis.
    package static func booked(_ user: UserID) -> RedisKey { RedisKey(.booked, user.value) }

    /// A call that may be repeated. The scripts make the names of the two sets beside it.
    package static func idempotency(_ user: UserID, key: String) -> RedisKey {
        RedisKey(.idempotentCall, user.value, key)
    }

    /// What billing says of the user's plan.
    package static func subscription(_ user: UserID) -> RedisKey { RedisKey(.subscription, user.value) }

    /// All subscriptions that the user has bought.
    package static func subscriptions(of user: UserID) -> RedisKey { RedisKey(.subscriptions, user.value) }

    /// The token of the worker whose turn it is to tell Clerk of the user's plan.
    static func checkoutTurn(_ user: UserID) -> RedisKey { RedisKey(.checkoutTurn, user.value) }

    static func clerkTurn(_ user: UserID) -> RedisKey { RedisKey(.clerkTurn, user.value) }

    /// Whose customer of Stripe's this is, for events that name no user, or whose subscription.
    static func customerUser(customerID: String) -> RedisKey { RedisKey(.customerUser, customerID) }

    /// Whether one of Stripe's events is in work or done.
    package static func webhook(eventID: String) -> RedisKey { RedisKey(.webhook, eventID) }

    /// Stripe's events that failed and wait to be sent again.
    static let waitingWebhooks = RedisKey(.waitingWebhooks)

    /// Subscriptions, by when their period ends.
    static let subscriptionEnds = RedisKey(.subscriptionEnds)

    /// What the last reconciliations with Stripe have found.
    static let reconciliation = RedisKey(.reconciliation)

    /// The token of the worker whose turn it is to reconcile.
    static let reconciliationLease = RedisKey(.reconciliationLease)

    /// All users who have called, by when.
    static let users = RedisKey(.users)

    /// The tokens for the admin port, by their names.
    static let adminTokens = RedisKey(.adminTokens)

    /// Live subscriptions whose price sells no plan.
    static let unpricedSubscriptions = RedisKey(.unpricedSubscriptions)

    /// Requests that workers have told of lately.
    static let requests = RedisKey(.requests)

    /// What operators have changed.
    static let audit = RedisKey(.audit)

    /// Whose key an id is.
    static func keyOwner(_ id: KeyID) -> RedisKey { RedisKey(.keyOwner, id.value) }

    /// What a worker reports of itself.
    package static func worker(_ id: String) -> RedisKey { RedisKey(.worker, id) }

    /// The ids of the workers, by when they were seen last.
    package static let workers = RedisKey(.workers)

    /// The users who called most on one day (UTC).
    package static func topUsers(on day: CalendarDay) -> RedisKey { RedisKey(.topUsers, day.description) }

    /// What is to be sent on a channel, by its ids.
    static func alerts(_ channel: Alert.Channel) -> RedisKey { RedisKey(.alerts, channel.rawValue) }

    /// The ids of those that are to be sent, by when.
    static func alertsDue(_ channel: Alert.Channel) -> RedisKey { RedisKey(.alertsDue, channel.rawValue) }

    /// The ids of those that were delivered, by when.
    static func alertsDelivered(_ channel: Alert.Channel) -> RedisKey { RedisKey(.alertsDelivered, channel.rawValue) }

    /// The ids of those that were given up, by when.
    static func alertsDead(_ channel: Alert.Channel) -> RedisKey { RedisKey(.alertsDead, channel.rawValue) }

    /// When it was last looked for alerts that were not told.
    static let alertSweep = RedisKey(.alertSweep)

    /// The token of the worker whose turn it is to look for them.
    static let alertSweepLease = RedisKey(.alertSweepLease)

    /// The ids of the alerts about a user.
    static func alerted(_ user: UserID) -> RedisKey { RedisKey(.alerted, user.value) }

    /// The keys that have an end, by when it is.
    static let keysExpiring = RedisKey(.keysExpiring)

    /// The user a ticket stands for. The ticket itself is not in the name.
    ///
    /// - Parameter hex: The SHA-256 of the whole ticket in 64 lower-case hexadecimal digits.
    package static func ticket(of user: UserID, sha256 hex: String) -> RedisKey { RedisKey(.ticket, user.value, hex) }

    /// The requests of one clock minute.
    package static func rateLimit(_ user: UserID, _ window: RateWindow) -> RedisKey {
        rateLimit(user, minute: "\(window.minute)")
    }

    static func rateLimit(_ user: UserID, minute: String) -> RedisKey { RedisKey(.rateLimit, user.value, minute) }

    /// The requests of one clock minute on a route that has a rate of its own.
    package static func rateLimit(_ user: UserID, route: String, _ window: RateWindow) -> RedisKey {
        rateLimit(user, route: route, minute: "\(window.minute)")
    }

    static func rateLimit(_ user: UserID, route: String, minute: String) -> RedisKey {
        RedisKey(.rateLimitOfRoute, user.value, route, minute)
    }
}

// MARK: Commands and scripts

extension RedisCommand {
    /// A command about one key, with what follows it.
    package init(_ name: String, _ key: RedisKey, _ arguments: String...) { self.init(name, key, arguments) }

    /// The same.
    package init(_ name: String, _ key: RedisKey, _ arguments: [String]) {
        self.init(arguments: [name, key.text] + arguments)
    }

    /// A command about several keys.
    package init(_ name: String, keys: [RedisKey]) { self.init(arguments: [name] + keys.map(\.text)) }
}

extension RedisScript.Call {
    /// A call about `keys`.
    package init(_ script: RedisScript, on keys: [RedisKey], arguments: [String]) {
        self.init(script, keys: keys.map(\.text), arguments: arguments)
    }

    /// The same with arguments that are no text.
    package init(_ script: RedisScript, on keys: [RedisKey], mixed arguments: [Argument]) {
        self.init(script, keys: keys.map(\.text), mixed: arguments)
    }
}
