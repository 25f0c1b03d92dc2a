import Hiredis
package import RedisClient
package import TollgateCore

/// What Redis remembers of a user beside usage, subscription and keys: for an operator who asks why a user is treated so.
package struct RedisUserTraces: Sendable {
    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// What was found.
    package struct Traces: Sendable, Hashable {
        /// Whether the user has ever called, bought or made something.
        package let isKnown: Bool

        /// The plan that the last admission applied.
        package let planLastSeen: String?

        /// When the last call was admitted.
        package let lastAdmittedAt: UnixTime?

        /// Calls whose outcome is not known yet.
        package let openReservations: Int
    }

    /// - Parameter time: Now.
    package func traces(of user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> Traces {
        let usage = RedisKey.usage(user)
        // All of one slot, so that one command may name them together.
        let keys = [
            usage, .subscription(user), .keys(of: user), .platformID(of: user),
            .rateLimit(user, RateWindow(containing: time)),
        ]
        let replies = try await client.ask(all: [
            RedisCommand("EXISTS", keys: keys), RedisCommand("HMGET", usage, "plan", "lastUpdated"),
            RedisCommand("ZCARD", .reservations(user)),
        ])
        guard let found = replies[0].integer, let record = replies[1].array, record.count == 2,
            let reservations = replies[2].integer
        else { throw .unexpectedReply(of: "Redis") }
        return Traces(
            isKnown: found > 0, planLastSeen: record[0].string,
            lastAdmittedAt: record[1].string.flatMap { UnixTime(iso8601: $0) }, openReservations: Int(reservations))
    }
}
