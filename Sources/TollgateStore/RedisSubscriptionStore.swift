import Hiredis
import RedisClient
import TollgateCore

/// Subscriptions in Redis, one hash for each user. They have no TTL: a record of a subscription that ended must still
/// outweigh an old token.
package struct RedisSubscriptionStore: SubscriptionStore {
    private static let applyScript = NamedScript<ApplySubscriptionArgument>(
        resource: PackageResources.apply_subscription_lua,
        prelude: PackageResources.values_lua + Array(SubscriptionRecord.luaFields.utf8))
    private static let beginScript = RedisScript(resource: PackageResources.begin_clerk_update_lua)
    private static let endScript = RedisScript(resource: PackageResources.end_clerk_update_lua)

    /// Longer than a call of Clerk may take with all its retries.
    private static let turnMilliseconds = 10_000

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func record(of user: UserID) async throws(StoreUnavailable) -> SubscriptionRecord? {
        let reply = try await client.ask(RedisCommand("HGETALL", .subscription(user)))
        guard let fields = (reply.array ?? []).subscriptionFields else { throw .unexpectedReply(of: "HGETALL") }
        return SubscriptionRecord.schema.value(in: fields)
    }

    package func apply(
        _ update: SubscriptionUpdate, at time: UnixTime
    ) async throws(StoreUnavailable) -> SubscriptionOutcome {
        let reply = try await client.ask(
            Self.applyScript.call(on: [.subscription(update.userID)], rest: update.fields) { argument in
                switch argument {
                case .now: time.iso8601
                case .isAuthoritative: update.isAuthoritative ? "1" : "0"
                case .fallbackPlan: PlanTable.fallbackName
                }
            })
        guard let outcome = SubscriptionOutcome(reply: reply) else {
            throw .unexpectedReply(of: "apply_subscription.lua")
        }
        return outcome
    }

    package func beginClerkUpdate(
        of user: UserID, token: String
    ) async throws(StoreUnavailable) -> ClerkUpdateTurn {
        let reply = try await client.ask(
            RedisScript.Call(
                Self.beginScript, on: [.subscription(user), .clerkTurn(user)],
                arguments: [token, "\(Self.turnMilliseconds)"]))
        guard let elements = reply.array, let fields = elements.dropFirst().subscriptionFields else {
            throw .unexpectedReply(of: "begin_clerk_update.lua")
        }
        switch (elements.first?.integer, SubscriptionRecord.schema.value(in: fields)) {
        case (1, let record?): return .due(record)
        case (2, _): return .upToDate
        case (3, _): return .taken
        default: throw .unexpectedReply(of: "begin_clerk_update.lua")
        }
    }

    package func endClerkUpdate(
        of user: UserID, token: String, toldOf eventID: String?, at time: UnixTime
    ) async throws(StoreUnavailable) {
        _ = try await client.ask(
            RedisScript.Call(
                Self.endScript, on: [.subscription(user), .clerkTurn(user)],
                arguments: [token, eventID ?? "", time.iso8601]))
    }

    /// A key of its own, in a slot of its own: no script can write it together with the record. So it is written
    /// plainly and again with every event, and one that a crash left out comes with the next. It has no TTL, for the
    /// cancellation that asks for it may come years later.
    package func recordCustomer(_ customerID: String, of user: UserID) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("SET", .customerUser(customerID: customerID), user.value))
    }

    package func user(ofCustomer customerID: String) async throws(StoreUnavailable) -> UserID? {
        let reply = try await client.ask(RedisCommand("GET", .customerUser(customerID: customerID)))
        return reply.string.flatMap { UserID($0) }
    }
}

extension SubscriptionOutcome {
    /// Reads the script's reply: the outcome, then the record. Nil when it has another form.
    fileprivate init?(reply: RedisReply) {
        guard let elements = reply.array, let fields = elements.dropFirst().subscriptionFields else { return nil }
        switch (elements.first?.integer, SubscriptionRecord.schema.value(in: fields)) {
        case (1, let record?): self = .applied(record)
        case (2, let record?): self = .alreadyApplied(record)
        case (3, _): self = .stale
        case (4, _): self = .tie
        case (5, let record?): self = .rivalry(record)
        default: return nil
        }
    }
}

extension Collection<RedisReply> {
    /// As ``hashFields``, but nil when a field is no text.
    fileprivate var subscriptionFields: [String: String]? { allSatisfy { $0.string != nil } ? hashFields : nil }
}

/// What `apply_subscription.lua` is given before the update.
private enum ApplySubscriptionArgument: String, ScriptArgument {
    case now

    /// 1 = the contents were fetched from Stripe to settle this event.
    case isAuthoritative
    case fallbackPlan
}
