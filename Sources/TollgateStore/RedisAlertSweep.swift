import Hiredis
package import RedisClient
package import TollgateCore

/// When it was last looked for alerts that no worker has told of, and whose turn it is: one worker at a time.
package struct RedisAlertSweep: Sendable {
    private let client: RedisClient
    private let lease: RedisLease

    package init(client: RedisClient) {
        self.client = client
        lease = RedisLease(client: client, key: .alertSweepLease, milliseconds: 60_000)
    }

    /// Takes the turn, or makes it last. False when another worker has it.
    ///
    /// - Parameter token: Names this worker's turn among all others; random.
    package func hold(token: String) async throws(StoreUnavailable) -> Bool { try await lease.hold(token: token) }

    /// Gives the turn back.
    package func release(token: String) async throws(StoreUnavailable) { try await lease.release(token: token) }

    /// How long before the first sweep workers may have begun to send alerts.
    private static let marginSeconds: Int64 = 60

    /// Since when alerts are sent, about: what was called before is not told of. The first one to ask decides it.
    ///
    /// - Parameter time: Now.
    package func beginning(orElse time: UnixTime) async throws(StoreUnavailable) -> UnixTime {
        let first = time.adding(seconds: -Self.marginSeconds)
        let replies = try await client.ask(all: [
            RedisCommand("HSETNX", .alertSweep, "since", first.iso8601), RedisCommand("HGET", .alertSweep, "since"),
        ])
        return replies[1].string.flatMap { UnixTime(iso8601: $0) } ?? first
    }

    /// When the last one began that has gone through all. Nil when there was none.
    package func ranAt() async throws(StoreUnavailable) -> UnixTime? {
        try await client.ask(RedisCommand("HGET", .alertSweep, "ranAt")).string.flatMap { UnixTime(iso8601: $0) }
    }

    package func write(ranAt time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("HSET", .alertSweep, "ranAt", time.iso8601))
    }

    /// Whether a worker has ended without a word since `time`: one that says goodbye is not named any more.
    ///
    /// - Parameter now: Now.
    package func workerVanished(since time: UnixTime, at now: UnixTime) async throws(StoreUnavailable) -> Bool {
        let life = RedisFleetStore.reportLifetimeSeconds
        let reply = try await client.ask(
            RedisCommand(
                "ZRANGEBYSCORE", .workers, "\(time.seconds - life)", "(\(now.seconds - life)", "LIMIT", "0", "1"))
        guard let found = reply.array else { throw .unexpectedReply(of: "ZRANGEBYSCORE") }
        return !found.isEmpty
    }

    // MARK: Keys

    /// Keys that end between `start` and `end`: whose they are, the first to end first. Those that have ended are
    /// forgotten.
    ///
    /// - Parameter place: How many are left out, from the first.
    package func keysExpiring(
        from start: UnixTime, until end: UnixTime, place: Int, maximumCount: Int
    ) async throws(StoreUnavailable) -> [(user: UserID, key: KeyID, expiresAt: UnixTime)] {
        let replies = try await client.ask(all: [
            RedisCommand("ZREMRANGEBYSCORE", .keysExpiring, "-inf", "(\(start.seconds)"),
            RedisCommand(
                "ZRANGEBYSCORE", .keysExpiring, "\(start.seconds)", "\(end.seconds)", "LIMIT", "\(place)",
                "\(maximumCount)", "WITHSCORES"),
        ])
        guard let found = replies[1].array?.map({ $0.string ?? "" }) else {
            throw .unexpectedReply(of: "ZRANGEBYSCORE")
        }
        return stride(from: 0, to: found.count - 1, by: 2).compactMap { place in
            let words = found[place].split(separator: " ").map(String.init)
            guard words.count == 2, let user = UserID(words[0]), let key = KeyID(words[1]),
                let seconds = Double(found[place + 1]).flatMap({ Int64(exactly: $0) })
            else { return nil }
            return (user, key, UnixTime(seconds: seconds))
        }
    }
}
