import Hiredis
package import RedisClient
package import TollgateCore

/// Where alerts are put in: the outbox of each channel that they are sent on. What one channel cannot deliver keeps no other
/// one waiting.
package struct RedisAlertOutboxes: Sendable {
    /// Alerts that are known of a user at most, and how long after the last of them.
    private static let maximumMarks = 256
    private static let marksSeconds: Int64 = 35 * 86_400

    /// How long one that cannot be found again is known of its user.
    private static let standardMarkSeconds: Int64 = 30 * 86_400

    private let outboxes: [RedisAlertOutbox]
    private let client: RedisClient

    package init(_ channels: [Alert.Channel], client: RedisClient) {
        outboxes = channels.map { RedisAlertOutbox($0, client: client) }
        self.client = client
    }

    /// Puts alerts in, each once into each outbox, and marks them as known of their users.
    ///
    /// - Returns: How many were new to one of them at least. Nil when one has no room: then some are neither in it nor marked.
    package func add(_ alerts: [Alert], at time: UnixTime) async throws(StoreUnavailable) -> Int? {
        guard !alerts.isEmpty else { return 0 }
        var (new, isFull) = (0, false)
        for outbox in outboxes {
            if let added = try await outbox.add(alerts, at: time) { new = max(new, added) } else { isFull = true }
        }
        guard !isFull else { return nil }
        try await mark(alerts, at: time)
        return new
    }

    /// They lie in the slots of their users, so no script writes them with the entries. One that a crash leaves out is found
    /// again, and known in the outboxes.
    private func mark(_ alerts: [Alert], at time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(
            all: alerts.flatMap { alert -> [RedisCommand] in
                let key = RedisKey.alerted(alert.user)
                let end = alert.mayBeFoundUntil ?? time.adding(seconds: Self.standardMarkSeconds)
                return [
                    RedisCommand("ZADD", key, "\(end.seconds)", alert.messageID),
                    RedisCommand("ZREMRANGEBYSCORE", key, "-inf", "(\(time.seconds)"),
                    RedisCommand("ZREMRANGEBYRANK", key, "0", "\(-Self.maximumMarks - 1)"),
                    RedisCommand("EXPIRE", key, "\(Self.marksSeconds)"),
                ]
            })
    }

    /// The ids of the alerts that are known of each of `users`, in their order.
    package func marks(of users: [UserID]) async throws(StoreUnavailable) -> [Set<String>] {
        let replies = try await client.ask(all: users.map { RedisCommand("ZRANGE", .alerted($0), "0", "-1") })
        return replies.map { Set(($0.array ?? []).compactMap(\.string)) }
    }
}
