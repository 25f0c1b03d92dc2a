import Hiredis
import RedisClient
import TollgateCore

/// Which workers are alive, and what they have had to do: for the operator, never for a decision.
///
/// A hash for each worker, which ends by itself when its worker does, and an index of them. They lie in several slots, so
/// they are written plainly, one after another.
package struct RedisFleetStore: Sendable {
    /// How long a worker counts as alive after its last report, in seconds. Two reports may be lost.
    package static let reportLifetimeSeconds: Int64 = 15

    /// Workers that are told of at most.
    package static let maximumWorkers = 256

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Replaces the worker's last report.
    package func write(_ report: WorkerReport) async throws(StoreUnavailable) {
        let (id, now) = (report.identity.id, report.seenAt.seconds)
        let key = Keys.worker(id)
        _ = try await client.ask(all: [
            RedisCommand(arguments: ["HSET", key] + report.fields),
            RedisCommand("EXPIRE", key, "\(Self.reportLifetimeSeconds)"),
            RedisCommand("ZADD", Keys.workers, "\(now)", id),
            RedisCommand("ZREMRANGEBYSCORE", Keys.workers, "-inf", "(\(now - Self.reportLifetimeSeconds)"),
        ])
    }

    /// The worker says goodbye.
    package func remove(_ id: String) async throws(StoreUnavailable) {
        _ = try await client.ask(all: [
            RedisCommand("DEL", Keys.worker(id)), RedisCommand("ZREM", Keys.workers, id),
        ])
    }

    /// The workers that are alive.
    ///
    /// - Parameter time: Now.
    package func workers(at time: UnixTime) async throws(StoreUnavailable) -> [WorkerReport] {
        let reply = try await client.ask(
            RedisCommand(
                "ZRANGEBYSCORE", Keys.workers, "\(time.seconds - Self.reportLifetimeSeconds)", "+inf", "LIMIT", "0",
                "\(Self.maximumWorkers)"))
        guard let ids = reply.array?.compactMap({ $0.string }) else { throw .unexpectedReply(of: "ZRANGEBYSCORE") }
        let replies = try await client.ask(all: ids.map { RedisCommand("HGETALL", Keys.worker($0)) })
        return replies.compactMap { WorkerReport(fields: ($0.array ?? []).map { $0.string ?? "" }) }
    }
}
