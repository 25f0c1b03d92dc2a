import Hiredis
package import RedisClient
package import TollgateCore

/// Which workers are alive, and what they have had to do: for the operator, and for the part that each worker has in a
/// limit while Redis is away.
///
/// A hash for each worker, which ends by itself when its worker does, and an index of them. They lie in several slots, so
/// they are written plainly, one after another.
package struct RedisFleetStore: Sendable {
    /// How long a worker counts as alive after its last report, in seconds. Two reports may be lost.
    package static let reportLifetimeSeconds: Int64 = 15

    /// Workers that are told of at most.
    package static let maximumWorkers = 256

    /// Workers that are counted at most.
    package static let maximumIDs = 4096

    /// How long the index names a worker after its last report, in seconds. Far longer than it counts as alive, so that
    /// one whose clock is ahead takes no live worker out.
    private static let indexedSeconds: Int64 = 3600

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Replaces the worker's last report.
    package func write(_ report: WorkerReport) async throws(StoreUnavailable) {
        let (id, now) = (report.identity.id, report.seenAt.seconds)
        let key = RedisKey.worker(id)
        _ = try await client.ask(all: [
            RedisCommand("HSET", key, WorkerReport.schema.fields(of: report)),
            RedisCommand("EXPIRE", key, "\(Self.reportLifetimeSeconds)"),
            RedisCommand("ZADD", .workers, "\(now)", id),
            RedisCommand("ZREMRANGEBYSCORE", .workers, "-inf", "(\(now - Self.indexedSeconds)"),
            RedisCommand("ZREMRANGEBYSCORE", .workers, "(\(now + Self.indexedSeconds)", "+inf"),
        ])
    }

    /// Removes the worker, which is about to stop.
    package func remove(_ id: String) async throws(StoreUnavailable) {
        _ = try await client.ask(all: [
            RedisCommand("DEL", .worker(id)), RedisCommand("ZREM", .workers, id),
        ])
    }

    /// The workers that are alive.
    ///
    /// - Parameter time: Now.
    package func workers(at time: UnixTime) async throws(StoreUnavailable) -> [WorkerReport] {
        let ids = try await ids(Self.maximumWorkers, at: time)
        let replies = try await client.ask(all: ids.map { RedisCommand("HGETALL", .worker($0)) })
        // One that has gone meanwhile has no fields.
        return replies.compactMap { reply in
            (reply.array ?? []).hashFields.flatMap { WorkerReport.schema.value(in: $0) }
        }
    }

    /// The ids of the workers that are alive.
    ///
    /// - Parameter time: Now.
    package func ids(at time: UnixTime) async throws(StoreUnavailable) -> [String] {
        try await ids(Self.maximumIDs, at: time)
    }

    /// Those that were seen last, at most so many.
    private func ids(_ limit: Int, at time: UnixTime) async throws(StoreUnavailable) -> [String] {
        let replies = try await client.ask(all: [
            RedisCommand(
                "ZRANGE", .workers, "\(time.seconds + Self.reportLifetimeSeconds)",
                "\(time.seconds - Self.reportLifetimeSeconds)", "BYSCORE", "REV", "LIMIT", "0", "\(limit)")
        ])
        guard let ids = replies.first?.array?.compactMap({ $0.string }) else { throw .unexpectedReply(of: "ZRANGE") }
        return ids
    }
}
