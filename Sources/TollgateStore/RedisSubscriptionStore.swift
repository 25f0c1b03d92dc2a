import Hiredis
package import RedisClient
package import TollgateCore

/// What users have bought, in Redis: of each user a hash with all subscriptions, and one that sums them up, which admissions
/// read. They have no TTL: a record of a subscription that ended must still outweigh an old token.
package struct RedisSubscriptionStore: SubscriptionStore {
    private static let timeScript = RedisScript(resource: PackageResources.read_time_lua)
    private static let writeScript = NamedScript<WritePurchasesSignature>(
        "write_purchases.lua", resource: PackageResources.write_purchases_lua,
        prelude: Array(SubscriptionRecord.luaFields.utf8))
    private static let ownCustomerScript = NamedScript<RecordOwnCustomerSignature>(
        "record_own_customer.lua", resource: PackageResources.record_own_customer_lua)
    private static let beginScript = NamedScript<BeginClerkUpdateSignature>(
        "begin_clerk_update.lua", resource: PackageResources.begin_clerk_update_lua)
    private static let endScript = NamedScript<EndClerkUpdateSignature>(
        "end_clerk_update.lua", resource: PackageResources.end_clerk_update_lua)

    /// Longer than a call of Clerk may take with all its retries.
    private static let turnMilliseconds = 10_000

    /// How long a worker that dies keeps the others from opening a checkout of the same user.
    private static let checkoutMilliseconds = 20_000

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func record(of user: UserID) async throws(StoreUnavailable) -> SubscriptionRecord? {
        let reply = try await client.ask(RedisCommand("HGETALL", .subscription(user)))
        guard let fields = (reply.array ?? []).subscriptionFields else { throw .unexpectedReply(of: "HGETALL") }
        return SubscriptionRecord.schema.value(in: fields)
    }

    package func now(for subscriptionID: String) async throws(StoreUnavailable) -> UnixTime {
        // A script, for a command without a key goes to any server of a cluster.
        let reply = try await client.ask(
            RedisScript.Call(Self.timeScript, on: [.customerUser(customerID: subscriptionID)], arguments: []))
        guard let time = RedisClock.time(in: reply) else { throw .unexpectedReply(of: "read_time.lua") }
        return time
    }

    package func purchases(of user: UserID) async throws(StoreUnavailable) -> KnownPurchases {
        let replies = try await client.ask(all: [
            RedisCommand("HGETALL", .subscription(user)), RedisCommand("HGETALL", .subscriptions(of: user)),
            RedisCommand("PTTL", .subscription(user)),
        ])
        let lifetime = replies.last?.integer ?? -1
        let fields = replies.prefix(2).compactMap { ($0.array ?? []).subscriptionFields }
        guard fields.count == 2 else { throw .unexpectedReply(of: "HGETALL") }
        let record = SubscriptionRecord.schema.value(in: fields[0])
        return KnownPurchases(
            purchases: Purchases(fields: fields[1], beside: record), record: record,
            recordSeconds: lifetime < 0 ? nil : lifetime / 1000,
            ownCustomerID: fields[1][Purchases.ownCustomerField])
    }

    package func write(
        _ purchases: Purchases, _ record: SubscriptionRecord?, of user: UserID, over known: KnownPurchases
    ) async throws(StoreUnavailable) -> Bool {
        // A record that stays as it is may have been written by hand, in a form of its own.
        let words = record == known.record ? [] : record.map(SubscriptionRecord.schema.fields) ?? []
        let reply = try await client.ask(
            Self.writeScript.call(rest: words + purchases.fields(beside: record)) { key in
                switch key {
                case .subscription: .subscription(user)
                case .subscriptions: .subscriptions(of: user)
                }
            } with: { argument in
                switch argument {
                case .revision: known.record.map { "\($0.revision)" } ?? ""
                case .ownCustomerField: Purchases.ownCustomerField
                case .recordWords: "\(words.count)"
                }
            })
        guard let outcome = Self.writeScript.outcome(of: reply) else { throw Self.writeScript.unexpectedReply() }
        guard outcome == .written else { return false }
        if known.record == nil, let record {
            try? await RedisUserIndex(client: client).addNew(user, at: record.writtenAt)
        }
        return true
    }

    package func recordOwnCustomer(
        _ customerID: String, of user: UserID, replacing known: String?
    ) async throws(StoreUnavailable) -> String {
        let reply = try await client.ask(
            Self.ownCustomerScript.call { _ in
                .subscriptions(of: user)
            } with: { argument in
                switch argument {
                case .field: Purchases.ownCustomerField
                case .customer: customerID
                case .known: known ?? ""
                }
            })
        guard Self.ownCustomerScript.outcome(of: reply) != nil, let customer = reply.array?.last?.string else {
            throw Self.ownCustomerScript.unexpectedReply()
        }
        return customer
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
        of user: UserID, token: String, toldOf record: SubscriptionRecord?, at time: UnixTime
    ) async throws(StoreUnavailable) {
        let told = record.map { [$0.plan, $0.status.name, $0.customerID ?? "", $0.subscriptionID ?? ""] } ?? []
        _ = try await client.ask(
            Self.endScript.call(rest: told) { key in
                switch key {
                case .subscription: .subscription(user)
                case .turn: .clerkTurn(user)
                }
            } with: { argument in
                switch argument {
                case .token: token
                case .now: time.iso8601
                }
            })
    }

    package func holdCheckout(of user: UserID, token: String) async throws(StoreUnavailable) -> Bool {
        try await checkoutLease(of: user).hold(token: token)
    }

    package func releaseCheckout(of user: UserID, token: String) async throws(StoreUnavailable) {
        try await checkoutLease(of: user).release(token: token)
    }

    private func checkoutLease(of user: UserID) -> RedisLease {
        RedisLease(client: client, key: .checkoutTurn(user), milliseconds: Self.checkoutMilliseconds)
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

    package func expectEnd(of subscriptionID: String, at time: UnixTime?) async throws(StoreUnavailable) {
        let command =
            time.map { RedisCommand("ZADD", .subscriptionEnds, "\($0.seconds)", subscriptionID) }
            ?? RedisCommand("ZREM", .subscriptionEnds, subscriptionID)
        _ = try await client.ask(command)
    }

    package func noteUnpriced(_ subscriptionID: String, at time: UnixTime?) async throws(StoreUnavailable) {
        let command =
            time.map { RedisCommand("ZADD", .unpricedSubscriptions, "\($0.seconds)", subscriptionID) }
            ?? RedisCommand("ZREM", .unpricedSubscriptions, subscriptionID)
        _ = try await client.ask(command)
    }

    /// How many live subscriptions have a price that sells no plan, and some of them.
    package func unpricedSubscriptions(
        maximumCount: Int
    ) async throws(StoreUnavailable) -> (count: Int, ids: [String]) {
        let replies = try await client.ask(all: [
            RedisCommand("ZCARD", .unpricedSubscriptions),
            RedisCommand("ZRANGE", .unpricedSubscriptions, "0", "\(maximumCount - 1)"),
        ])
        guard replies.count == 2, let count = replies[0].integer, let ids = replies[1].array else {
            throw .unexpectedReply(of: "ZRANGE")
        }
        return (Int(count), ids.compactMap(\.string))
    }

    package func overdueSubscriptions(
        before time: UnixTime, maximumCount: Int
    ) async throws(StoreUnavailable) -> [String] {
        let reply = try await client.ask(
            RedisCommand(
                "ZRANGEBYSCORE", .subscriptionEnds, "-inf", "(\(time.seconds)", "LIMIT", "0", "\(maximumCount)"))
        guard let ids = reply.array else { throw .unexpectedReply(of: "ZRANGEBYSCORE") }
        return ids.compactMap(\.string)
    }
}

extension Collection<RedisReply> {
    /// As ``hashFields``, but nil when a field is no text.
    fileprivate var subscriptionFields: [String: String]? {
        // What operators have decided is read elsewhere, whatever it is.
        let oddValues = count { $0.string == nil }
        let isOfOperators = oddValues == 1 && !operatorWords.isEmpty && operatorWords.contains("\u{FFFD}")
        return oddValues == 0 || isOfOperators ? hashFields : nil
    }
}

private enum WritePurchasesSignature: ScriptSignature {
    enum Key: String, ScriptName { case subscription, subscriptions }

    enum Argument: String, ScriptName {
        /// Of the record that was read. Empty when there was none.
        case revision

        /// The field of the subscriptions that stays as it is.
        case ownCustomerField

        /// How many of the words that follow are those of the record. With 0 it stays as it is.
        case recordWords
    }

    enum Outcome: String, ScriptName { case writtenSince, written }
}

private enum RecordOwnCustomerSignature: ScriptSignature {
    enum Key: String, ScriptName { case subscriptions }

    enum Argument: String, ScriptName {
        case field
        case customer

        /// The customer that is replaced. Empty for none.
        case known
    }

    enum Outcome: String, ScriptName { case another, recorded }
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

        case now
    }

    enum Outcome: String, ScriptName { case notNoted, noted }
}
