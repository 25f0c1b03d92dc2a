import Logging
import ServiceLifecycle
import Synchronization
import TollgateCore
import TollgateStore

/// Brings the crossings that admissions have seen to the outboxes. What a worker that dies has not brought there is found by
/// ``AlertSweeper``.
final class AlertPublisher: Service {
    /// Alerts that go to Redis with one call.
    private static let alertsAtATime = 200

    /// Alerts that are remembered, so that a count that goes up and down over a threshold costs nothing.
    private static let maximumRemembered = 10_000

    private static let retryInterval: Duration = .seconds(1)

    private let crossings: QuotaCrossings
    private let outboxes: RedisAlertOutboxes
    private let time: any TimeSource
    private let logger: Logger
    private let published = Mutex(RecencyCache<String, Bool>(capacity: maximumRemembered))

    /// Has the users in the index who are told of.
    private let users: FirstCallers

    init(
        crossings: QuotaCrossings, outboxes: RedisAlertOutboxes, users: FirstCallers, time: any TimeSource,
        logger: Logger
    ) {
        self.crossings = crossings
        self.outboxes = outboxes
        self.users = users
        self.time = time
        self.logger = logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.crossings.arrivals { await self.publishAll() }
        }
        // A task of its own, for this one may have been cancelled: then Redis would not be asked.
        await Task { _ = await self.publish(self.crossings.take()) }.value
    }

    private func publishAll() async {
        var left = crossings.take()
        while true {
            left = await publish(left)
            guard !left.isEmpty, (try? await Task.sleep(for: Self.retryInterval)) != nil else { break }
        }
    }

    /// - Returns: Those that the outbox could not be told of.
    private func publish(_ crossings: [Alert.QuotaThreshold]) async -> [Alert.QuotaThreshold] {
        var left = crossings[...]
        users.add(Array(Set(crossings.map(\.user))))
        while !left.isEmpty {
            let part = left.prefix(Self.alertsAtATime)
            let alerts = part.map { Alert.quotaThreshold($0) }.filter { alert in
                published.withLock { $0.value(for: alert.messageID) == nil }
            }
            do {
                // Without room, the next sweep finds them.
                if try await outboxes.add(alerts, at: time.now()) == nil {
                    logger.error(
                        "the outbox of alerts is full", metadata: ["remedy": "tollgate alerts list says what is in it"])
                } else {
                    published.withLock { published in
                        for alert in alerts { published.insert(true, for: alert.messageID) }
                    }
                }
            } catch {
                logger.debug("alerts wait for Redis", metadata: ["cause": "\(error)"])
                return Array(left)
            }
            left = left.dropFirst(part.count)
        }
        return []
    }
}
