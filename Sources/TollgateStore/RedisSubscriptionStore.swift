import Hiredis
package import RedisClient
package import TollgateCore

/// Subscriptions in Redis, one hash for each user. They have no TTL: a record of a subscription that ended must still
/// outweigh an old token.
package struct RedisSubscriptionStore: SubscriptionStore {
    private static let applyScript = NamedScript<ApplySubscriptionSignature>(
        "apply_subscription.lua", resource: PackageResources.apply_subscription_lua,
        prelude: PackageResources.values_lua + Array(SubscriptionRecord.luaFields.utf8))
    private static let beginScript = NamedScript<BeginClerkUpdateSignature>(
        "begin_clerk_update.lua", resource: PackageResources.begin_clerk_update_lua)
    private static let endScript = NamedScript<EndClerkUpdateSignature>(
        "end_clerk_update.lua", resource: PackageResources.end_clerk_update_lua)

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
            Self.applyScript.call(rest: update.fields) { key in
                switch key {
                case .subscription: .subscription(update.userID)
                }
            } with: { argument in
                switch argument {
                case .now: time.iso8601
                case .isAuthoritative: update.isAuthoritative ? "1" : "0"
                case .fallbackPlan: PlanTable.fallbackName
                }
            })
        guard let outcome = Self.applyScript.outcome(of: reply).flatMap({ SubscriptionOutcome($0, of: reply) }) else {
            throw Self.applyScript.unexpectedReply()
        }
        return outcome
    }

    package func beginClerkUpdate(
        of user: UserID, token: String
    ) async throws(StoreUnavailable) -> ClerkUpdateTurn {
        let reply = try await client.ask(
            Self.beginScript.call { key in
                switch key {
                case .subscription: .subscription(user)
                case .turn: .clerkTurn(user)
                }
            } with: { argument in
                switch argument {
                case .token: token
                case .turnMilliseconds: "\(Self.turnMilliseconds)"
                }
            })
        guard let elements = reply.array, let fields = elements.dropFirst().subscriptionFields else {
            throw Self.beginScript.unexpectedReply()
        }
        switch (Self.beginScript.outcome(of: reply), SubscriptionRecord.schema.value(in: fields)) {
        case (.ours, let record?): return .due(record)
        case (.upToDate, _): return .upToDate
        case (.taken, _): return .taken
        case (.ours, nil), (nil, _): throw Self.beginScript.unexpectedReply()
        }
    }

    package func endClerkUpdate(
        of user: UserID, token: String, toldOf eventID: String?, at time: UnixTime
    ) async throws(StoreUnavailable) {
        _ = try await client.ask(
            Self.endScript.call { key in
                switch key {
                case .subscription: .subscription(user)
                case .turn: .clerkTurn(user)
                }
            } with: { argument in
                switch argument {
                case .token: token
                case .toldEvent: eventID ?? ""
                case .now: time.iso8601
                }
            })
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
    fileprivate init?(_ outcome: ApplySubscriptionSignature.Outcome, of reply: RedisReply) {
        guard let elements = reply.array, let fields = elements.dropFirst().subscriptionFields else { return nil }
        switch (outcome, SubscriptionRecord.schema.value(in: fields)) {
        case (.applied, let record?): self = .applied(record)
        case (.alreadyApplied, let record?): self = .alreadyApplied(record)
        case (.stale, _): self = .stale
        case (.tie, _): self = .tie
        case (.rivalry, let record?): self = .rivalry(record)
        case (.applied, nil), (.alreadyApplied, nil), (.rivalry, nil): return nil
        }
    }
}

extension Collection<RedisReply> {
    /// As ``hashFields``, but nil when a field is no text.
    fileprivate var subscriptionFields: [String: String]? { allSatisfy { $0.string != nil } ? hashFields : nil }
}

/// What `apply_subscription.lua` is given before the update, and what it answers.
private enum ApplySubscriptionSignature: ScriptSignature {
    enum Key: String, ScriptName { case subscription }

    enum Argument: String, ScriptName {
        case now

        /// 1 = the contents were fetched from Stripe to settle this event.
        case isAuthoritative
        case fallbackPlan
    }

    enum Outcome: String, ScriptName { case applied, alreadyApplied, stale, tie, rivalry }
}

private enum BeginClerkUpdateSignature: ScriptSignature {
    enum Key: String, ScriptName { case subscription, turn }

    enum Argument: String, ScriptName {
        /// Of this worker's turn.
        case token

        /// How long the turn lasts.
        case turnMilliseconds
    }

    enum Outcome: String, ScriptName { case ours, upToDate, taken }
}

private enum EndClerkUpdateSignature: ScriptSignature {
    enum Key: String, ScriptName { case subscription, turn }

    enum Argument: String, ScriptName {
        /// Of this worker's turn.
        case token

        /// Of the record that Clerk was told. Empty when it was not.
        case toldEvent
        case now
    }

    enum Outcome: String, ScriptName { case notNoted, noted }
}
