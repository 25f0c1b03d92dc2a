import Hiredis
package import RedisClient
package import TollgateCore

/// Stripe's events that could not be carried out and wait for Stripe to send them again: for the operator. What is to be
/// done with an event is decided by ``RedisWebhookLedger`` alone.
package struct RedisWebhookBacklog: Sendable {
    /// Events that are kept at most; of more, those that failed first.
    package static let maximumEvents = 1000

    /// Stripe sends an event again for three days. After another one nothing comes any more.
    package static let keptSeconds: Int64 = 4 * 86_400

    /// What waits.
    package struct Waiting: Sendable, Hashable {
        package let count: Int

        /// The first of them, the oldest first.
        package let events: [Event]
    }

    /// An event that has failed.
    package struct Event: Sendable, Hashable {
        package let id: String

        /// When it failed for the first time.
        package let since: UnixTime
    }

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Notes that an event could not be carried out. Of several failures the first counts.
    package func add(eventID: String, at time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(all: [
            RedisCommand("ZADD", .waitingWebhooks, "NX", "\(time.seconds)", eventID),
            Self.forgetting(at: time),
            RedisCommand("ZREMRANGEBYRANK", .waitingWebhooks, "\(Self.maximumEvents)", "-1"),
        ])
    }

    /// Notes that an event was carried out.
    package func remove(eventID: String) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("ZREM", .waitingWebhooks, eventID))
    }

    /// Forgets the events that Stripe has given up.
    package func forgetOld(at time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(Self.forgetting(at: time))
    }

    /// What waits, with the first `limit` events.
    package func waiting(_ limit: Int) async throws(StoreUnavailable) -> Waiting {
        let replies = try await client.ask(all: [
            RedisCommand("ZCARD", .waitingWebhooks),
            RedisCommand("ZRANGE", .waitingWebhooks, "0", "\(limit - 1)", "WITHSCORES"),
        ])
        guard let count = replies[0].integer, let texts = replies[1].array?.map({ $0.string ?? "" }) else {
            throw .unexpectedReply(of: "ZRANGE")
        }
        let events = stride(from: 0, to: texts.count - 1, by: 2).map { index in
            let seconds = Double(texts[index + 1]).flatMap { Int64(exactly: $0.rounded()) }
            return Event(id: texts[index], since: UnixTime(seconds: seconds ?? 0))
        }
        return Waiting(count: Int(count), events: events)
    }

    private static func forgetting(at time: UnixTime) -> RedisCommand {
        RedisCommand("ZREMRANGEBYSCORE", .waitingWebhooks, "-inf", "(\(time.seconds - keptSeconds)")
    }
}
