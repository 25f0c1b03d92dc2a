import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// Everything that stands in Redis, byte for byte: what a call that is refused must leave as it was.
struct StoredState: Equatable {
    private struct Value: Equatable {
        let dump: RedisReply
        let expiresAt: RedisReply
    }

    /// In one step, so that a test can look as often as it likes.
    private static let script = RedisScript(
        source: """
            local state = {}
            for _, name in ipairs(redis.call('KEYS', '*')) do
              for _, part in ipairs({ name, redis.call('DUMP', name), redis.call('PEXPIRETIME', name) }) do
                state[#state + 1] = part
              end
            end
            return state
            """)

    private var values: [String: Value] = [:]

    init(_ client: RedisClient) async throws {
        let parts = try await client.inspector.run(RedisScript.Call(Self.script, keys: [], arguments: [])).array ?? []
        for place in stride(from: 0, to: parts.count, by: 3) {
            let name = try #require(parts[place].string)
            values[name] = Value(dump: parts[place + 1], expiresAt: parts[place + 2])
        }
    }

    var names: [String] { values.keys.sorted() }

    /// The keys that were made, written, given another end, or deleted since `earlier`.
    func changes(since earlier: StoredState) -> [String] {
        Set(values.keys).union(earlier.values.keys).filter { values[$0] != earlier.values[$0] }.sorted()
    }
}

extension KeyGateway {
    /// The counter of the minute that ``time`` lies in.
    static let minute = "ratelimit:{user_abc}:29403300"

    /// The user's history of the ten days of ``time``: what begins with 26 is of that day.
    static let tenDays = "usage:{user_abc}:2025-11-2"

    /// A command whose words may hold anything.
    @discardableResult
    func send(_ words: String...) async throws -> RedisReply {
        try await client.execute(RedisCommand(arguments: words))
    }

    /// A record as one is after a call an hour ago, with `fields` written over it by another client.
    func writeUsage(_ fields: [String: String] = [:]) async throws {
        let usual = [
            "usageCount": "3", "plan": "free", "periodStart": "2025-11-01", "periodEnd": "2025-11-30",
            "lastUpdated": "2025-11-26T22:00:00Z",
        ]
        let words = usual.merging(fields) { $1 }.flatMap { [$0.key, $0.value] }
        try await client.send("DEL usage:{user_abc}")
        _ = try await client.execute(RedisCommand(arguments: ["HSET", "usage:{user_abc}"] + words))
    }

    /// What is booked on `day` by route, zeros left out, where this release books it and where the one before did.
    func booked(on day: CalendarDay) async throws -> [String: String] {
        let (prefix, name) = ("\("\(day)".suffix(2))/", "usage:{\(user.value)}:\(day)")
        var sums: [String: Int] = [:]
        for (field, count) in try await hash(String(name.dropLast())) where field.hasPrefix(prefix) {
            sums[String(field.dropFirst(3)), default: 0] += Int(count) ?? 0
        }
        for (route, count) in try await hash(name) { sums[route, default: 0] += Int(count) ?? 0 }
        return sums.filter { $0.value != 0 }.mapValues { "\($0)" }
    }

    /// What becomes of a call with a token, `seconds` after ``time``.
    func admit(
        after seconds: Int64 = 0, cost: Int = 1, route: String = "search", reservation: String? = nil,
        key: String? = nil, limit: RouteLimit? = nil
    ) async throws -> AdmissionDecision {
        try await admissions.admit(
            AdmissionRequest(
                principal: Principal(userID: user), time: Self.time.adding(seconds: seconds), cost: cost, route: route,
                idempotentCall: try key.map { try #require(IdempotentCall(key: $0, fingerprint: "f")) },
                reservation: try reservation.map { try #require(Reservation.Request(id: $0, leaseSeconds: 30)) },
                routeLimit: limit))
    }

    /// The keys that `body` changes.
    func changes(_ body: () async throws -> Void) async throws -> [String] {
        let before = try await StoredState(client)
        try await body()
        return try await StoredState(client).changes(since: before)
    }
}
