import Hiredis
package import RedisClient
import Synchronization
package import TollgateCore

/// All users who have called, by the day of their last call: what lists and exports go through. It is kept by the workers'
/// reports, of what admissions tell them: no command of a call is spent on it.
package struct RedisUserIndex: Sendable {
    /// Users that are forgotten after so long without a call, as their history is.
    package static let keptSeconds: Int64 = 400 * 86_400

    /// Users that are added with one command.
    private static let usersAtATime = 500

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Adds users who have called, or about whom something was decided.
    package func add(_ users: [UserID], at time: UnixTime) async throws(StoreUnavailable) {
        for start in stride(from: 0, to: users.count, by: Self.usersAtATime) {
            let words = users[start..<min(users.count, start + Self.usersAtATime)].flatMap {
                ["\(time.seconds)", $0.value]
            }
            _ = try await client.ask(RedisCommand("ZADD", .users, words))
        }
    }

    /// Forgets those who have not called for ``keptSeconds``.
    package func forgetOld(at time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(
            RedisCommand("ZREMRANGEBYSCORE", .users, "-inf", "(\(time.seconds - Self.keptSeconds)"))
    }

    package func remove(_ user: UserID) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("ZREM", .users, user.value))
    }

    package func count() async throws(StoreUnavailable) -> Int {
        Int(try await client.ask(RedisCommand("ZCARD", .users)).integer ?? 0)
    }

    /// A part of the users, those who called last first.
    ///
    /// - Parameter last: The last user of the part before. Nil for the first part. One who is not in the index any more
    ///   begins it anew.
    package func users(after last: UserID?, maximumCount: Int) async throws(StoreUnavailable) -> [UserID] {
        var start = 0
        if let last, let rank = try await client.ask(RedisCommand("ZREVRANK", .users, last.value)).integer {
            start = Int(rank) + 1
        }
        let reply = try await client.ask(
            RedisCommand("ZRANGE", .users, "\(start)", "\(start + maximumCount - 1)", "REV"))
        guard let names = reply.array else { throw .unexpectedReply(of: "ZRANGE") }
        return names.compactMap { $0.string.flatMap { UserID($0) } }
    }
}

/// Users who have called for the first time on a day, as admissions tell: to be added to ``RedisUserIndex`` soon.
package final class FirstCallers: Sendable {
    /// Users that are remembered at a time. Those beyond are added when they call on another day.
    private static let maximumCount = 100_000

    private let users = Mutex<[UserID]>([])

    package init() {}

    package func add(_ added: [UserID]) {
        users.withLock { users in users += added.prefix(max(0, Self.maximumCount - users.count)) }
    }

    /// All since the last time.
    package func take() -> [UserID] {
        users.withLock { users in
            defer { users = [] }
            return users
        }
    }
}
