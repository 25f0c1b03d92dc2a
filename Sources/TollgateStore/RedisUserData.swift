import Hiredis
import Libcrypto
package import RedisClient
package import TollgateCore

/// Everything that Redis knows of a user: for operators, and for users who want to see or to be forgotten.
package struct RedisUserData: Sendable {
    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    // MARK: Lists

    /// What a list tells of a user.
    package struct Summary: Sendable, Hashable {
        package let user: UserID
        package let record: SubscriptionRecord?
        package let terms: OperatorTerms

        /// Calls of the period, its name and its plan, as the last admission left them. Nil before the first.
        package let calls: Int?
        package let period: String?

        /// The same period. Nil where what stands there is none.
        package let billingPeriod: BillingPeriod?
        package let planLastSeen: String?
        package let lastAdmittedAt: UnixTime?
    }

    /// The summaries of `users`, in their order, read at once.
    package func summaries(of users: [UserID]) async throws(StoreUnavailable) -> [Summary] {
        let replies = try await client.askOfAnyType(
            all: users.flatMap { user in
                [
                    RedisCommand(
                        "HMGET", .usage(user), "usageCount", "periodStart", "plan", "lastUpdated", "periodEnd"),
                    RedisCommand("HGETALL", .subscription(user)),
                ]
            })
        return users.enumerated().map { place, user in
            let usage = (replies[place * 2].array ?? []).map(\.string)
            let record = replies[place * 2 + 1].array ?? []
            let fields = record.hashFields ?? [:]
            let isWhole = usage.count == 5
            return Summary(
                user: user, record: SubscriptionRecord.schema.value(in: fields),
                terms: OperatorTerms(words: record.operatorWords),
                calls: isWhole ? usage[0].flatMap { Int($0) } : nil, period: isWhole ? usage[1] : nil,
                billingPeriod: isWhole ? usage[1].flatMap { BillingPeriod(name: $0, end: usage[4]) } : nil,
                planLastSeen: isWhole ? usage[2] : nil,
                lastAdmittedAt: isWhole ? usage[3].flatMap { UnixTime(iso8601: $0) } : nil)
        }
    }

    // MARK: One user

    /// Begins the count of the present period and minute anew.
    ///
    /// - Returns: How many calls the period had.
    package func reset(_ user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> Int {
        let before = try await client.ask(RedisCommand("HGET", .usage(user), "usageCount")).string.flatMap { Int($0) }
        // Calls that are in progress are not given back below nothing.
        _ = try await client.ask(RedisCommand("DEL", .reservations(user)))
        if before != nil { _ = try await client.ask(RedisCommand("HSET", .usage(user), "usageCount", "0")) }
        _ = try await client.ask(RedisCommand("DEL", .rateLimit(user, RateWindow(containing: time))))
        return before ?? 0
    }

    /// A key of the user's, and what stands in it: a text, fields, or members with their scores.
    package struct Entry: Sendable, Hashable {
        package enum Value: Sendable, Hashable {
            case text(String)
            case fields([String: String])
            case members([String])
        }

        package let key: String
        package let value: Value
    }

    /// All that is known of the user, key by key, without secrets.
    package func export(_ user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> [Entry] {
        let keys = try await keys(of: user, at: time)
        let replies = try await client.askOfAnyType(
            all: keys.map { key in
                switch key.pattern.type {
                case .string: RedisCommand("GET", key)
                case .hash, .stream: RedisCommand("HGETALL", key)
                case .sortedSet: RedisCommand("ZRANGE", key, "0", "-1")
                }
            })
        return zip(keys, replies).compactMap { key, reply in
            switch key.pattern.type {
            case .string:
                guard let text = reply.string else { return nil }
                return Entry(key: key.text, value: .text(key.pattern == .apiKey ? "…" : text))
            case .hash, .stream:
                guard var fields = (reply.array ?? []).hashFields, !fields.isEmpty else { return nil }
                for secret in ["hash", "previousHash", "apiKey", "body"] where fields[secret] != nil {
                    fields[secret] = "…"
                }
                return Entry(key: key.text, value: .fields(fields))
            case .sortedSet:
                let members = (reply.array ?? []).compactMap(\.string)
                return members.isEmpty ? nil : Entry(key: key.text, value: .members(members))
            }
        }
    }

    /// Deletes all that is known of the user. What is left of a deletion that breaks off is deleted by the next.
    ///
    /// - Returns: How many keys there were.
    package func delete(_ user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> Int {
        let keys = try await keys(of: user, at: time)
        try await forgetAlerts(about: user)
        // The lists that lead to other keys come last.
        let lists: Set<RedisKey.Pattern> = [.keys, .endedKeys, .idempotencyKeys, .subscriptions, .platformID, .apiKey]
        let order = keys.filter { !lists.contains($0.pattern) } + keys.filter { lists.contains($0.pattern) }
        var count = 0
        for key in order {
            count += Int(try await client.ask(RedisCommand("DEL", key)).integer ?? 0)
        }
        try await forgetReports(of: user, at: time)
        let ending = keys.compactMap(\.keyID).map { RedisKeyIndex.endingMember($0, of: user) }
        if !ending.isEmpty { _ = try await client.ask(RedisCommand("ZREM", .keysExpiring, ending)) }
        return count
    }

    /// Forgets what workers have told of a user who is deleted, unless they have called again since.
    package func forgetReports(of user: UserID, at time: UnixTime) async throws(StoreUnavailable) {
        guard try await client.ask(RedisCommand("EXISTS", .usage(user))).integer == 0 else { return }
        let days = [time, time.adding(seconds: -86_400)].map { RedisKey.topUsers(on: CalendarDay(containing: $0)) }
        for day in days { _ = try await client.ask(RedisCommand("ZREM", day, user.value)) }
        _ = try await client.ask(RedisCommand("ZREM", .users, user.value))
    }

    /// What is to be sent about the user is not sent any more, and what was sent is not known any more.
    private func forgetAlerts(about user: UserID) async throws(StoreUnavailable) {
        let alerted = try await client.askOfAnyType(all: [RedisCommand("ZRANGE", .alerted(user), "0", "-1")])
        let ids = (alerted[0].array ?? []).compactMap(\.string)
        guard !ids.isEmpty else { return }
        _ = try await client.ask(
            all: Alert.Channel.allCases.flatMap { channel -> [RedisCommand] in
                let sets: [RedisKey] = [.alertsDue(channel), .alertsDelivered(channel), .alertsDead(channel)]
                return sets.map { RedisCommand("ZREM", $0, ids) } + [RedisCommand("HDEL", .alerts(channel), ids)]
            })
    }

    /// The names of all keys that may hold something of the user, those without anything in them as well.
    private func keys(of user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> [RedisKey] {
        let replies = try await client.askOfAnyType(all: [
            RedisCommand("ZRANGE", .keys(of: user), "0", "-1"),
            RedisCommand("ZRANGE", RedisKey(.endedKeys, user.value), "0", "-1"),
            RedisCommand("ZRANGE", RedisKey(.idempotencyKeys, user.value), "0", "-1"),
            RedisCommand("HGETALL", .subscriptions(of: user)), RedisCommand("HGETALL", .subscription(user)),
            RedisCommand("GET", .platformID(of: user)), RedisCommand("GET", .apiKey(of: user)),
        ])
        func members(_ place: Int) -> [String] { (replies[place].array ?? []).compactMap(\.string) }
        let keyIDs = (members(0) + members(1)).compactMap { KeyID($0) }
        let bought = (replies[3].array ?? []).hashFields ?? [:]
        let record = (replies[4].array ?? []).hashFields ?? [:]
        let purchases = Purchases(fields: bought, beside: SubscriptionRecord.schema.value(in: record))
        let customers = Set(
            purchases.subscriptions.values.flatMap { [$0.id, $0.customerID].compactMap(\.self) }
                + [record["customer"], record["subscription"], bought[Purchases.ownCustomerField]].compactMap(\.self))
        let today = CalendarDay(containing: time)
        let days = (0...UsageDay.keptDays + 1).reversed().map { today.days(before: $0) }
        let windows = [time, time.adding(seconds: -60)].map { RateWindow(containing: $0) }
        var keys: [RedisKey] = [
            .usage(user), .reservations(user), .booked(user), RedisKey(.keptAnswers, user.value),
            .previousAPIKey(of: user), .clerkTurn(user), .checkoutTurn(user), .subscription(user), .keys(of: user),
            RedisKey(.endedKeys, user.value), RedisKey(.idempotencyKeys, user.value), .subscriptions(of: user),
            .platformID(of: user), .apiKey(of: user), .keyChanges(of: user, inMinuteOf: time), .alerted(user),
        ]
        keys += UsageHash.keys(of: days, of: user)
        keys += days.suffix(2).map { .keyChanges(of: user, onDayOf: $0.startOfDay) }
        keys += windows.map { .rateLimit(user, $0) }
        keys += keyIDs.flatMap { [.key($0, of: user), .keyOwner($0)] }
        keys += members(2).map { .idempotency(user, key: $0) }
        keys += customers.sorted().map { .customerUser(customerID: $0) }
        if let platform = replies[5].string { keys.append(.platformUser(platform)) }
        if let key = replies[6].string { keys.append(.apiKey(sha256: SHA256.digest(key).hex)) }
        return keys
    }
}
