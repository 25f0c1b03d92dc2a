import Hiredis
package import RedisClient
package import TollgateCore

/// How many calls a user has made, as far as is known.
package struct UserCalls: Sendable, Hashable {
    package let userID: UserID
    package let calls: Int

    package init(userID: UserID, calls: Int) {
        self.userID = userID
        self.calls = calls
    }
}

/// The users who call most, day by day: a sorted set for each UTC day, which all workers add to.
///
/// Approximate: a worker tells only of those who called it most in the last few seconds, and of each day only the first
/// ``maximumUsers`` are kept. So a user who calls now and then may be missing or have too few calls; none has too many.
package struct RedisTopUsers: Sendable {
    /// Users that are kept of a day.
    package static let maximumUsers = 1000

    private static let keptSeconds = 2 * 86_400

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Adds what was counted since the last time.
    package func add(_ users: [UserCalls], on day: CalendarDay) async throws(StoreUnavailable) {
        guard !users.isEmpty else { return }
        let key = RedisKey.topUsers(on: day)
        _ = try await client.ask(
            all: users.map { RedisCommand("ZINCRBY", key, "\($0.calls)", $0.userID.value) } + [
                RedisCommand("ZREMRANGEBYRANK", key, "0", "\(-Self.maximumUsers - 1)"),
                RedisCommand("EXPIRE", key, "\(Self.keptSeconds)"),
            ])
    }

    /// Those with the most calls on `day`, most first.
    package func first(_ count: Int, on day: CalendarDay) async throws(StoreUnavailable) -> [UserCalls] {
        let reply = try await client.ask(
            RedisCommand("ZRANGE", .topUsers(on: day), "\(-count)", "-1", "WITHSCORES"))
        guard let texts = reply.array?.map({ $0.string ?? "" }) else { throw .unexpectedReply(of: "ZRANGE") }
        return stride(from: 0, to: texts.count - 1, by: 2).reversed().compactMap { index in
            guard let user = UserID(texts[index]), let calls = Double(texts[index + 1]).flatMap({ Int(exactly: $0) })
            else { return nil }
            return UserCalls(userID: user, calls: calls)
        }
    }
}
