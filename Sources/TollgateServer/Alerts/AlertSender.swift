import Logging
import ServiceLifecycle
import Synchronization
import TollgateCore
import TollgateStore

/// Sends what is due in the outbox of a channel, each alert until it is delivered or given up. Every worker does it, and no two have one
/// alert in work.
final class AlertSender: Service {
    /// How often it is looked whether something is due.
    private static let interval: Duration = .seconds(1)

    /// The same when Redis has not answered.
    private static let intervalWithoutRedis: Duration = .seconds(5)

    private let outbox: RedisAlertOutbox
    private let receiver: any AlertReceiver
    private let metrics: AlertMetrics
    private let time: any TimeSource
    private let logger: Logger

    /// Nothing more is begun.
    private let isEnding = Atomic(false)

    init(
        outbox: RedisAlertOutbox, receiver: any AlertReceiver, metrics: AlertMetrics, time: any TimeSource,
        logger: Logger
    ) {
        self.outbox = outbox
        self.receiver = receiver
        self.metrics = metrics
        self.time = time
        self.logger = logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.send() }
    }

    private func send() async {
        await withTaskCancellationHandler {
            while !Task.isCancelled {
                // What has been begun ends: a message that is sent and not noted would be sent again.
                let pause = await Task { await self.sendDue() }.value
                if let pause { try? await Task.sleep(for: pause) }
            }
        } onCancel: {
            isEnding.store(true, ordering: .relaxed)
        }
    }

    /// - Returns: How long to wait. Nil when there may be more.
    private func sendDue() async -> Duration? {
        guard time.isKnown else { return Self.interval }
        do {
            let claim = try await outbox.claim(receiver.pace.claimedAtATime, at: time.now())
            metrics.outbox(outbox.channel, length: try await outbox.pendingCount())
            guard !claim.alerts.isEmpty else { return Self.interval }
            await send(claim)
            return claim.alerts.count == receiver.pace.claimedAtATime ? nil : Self.interval
        } catch {
            logger.debug("alerts wait for Redis", metadata: ["cause": "\(error)"])
            return Self.intervalWithoutRedis
        }
    }

    private func send(_ claim: RedisAlertOutbox.Claim) async {
        await receiver.connected(turn: claim.alerts[0].delivery.attempts) { connections in
            await withTaskGroup(of: Void.self) { group in
                for (place, alert) in claim.alerts.enumerated() {
                    if place >= receiver.pace.sentAtATime { await group.next() }
                    guard !isEnding.load(ordering: .relaxed) else { break }
                    group.addTask { await self.send(alert, claim.leaseEnd, over: connections) }
                }
            }
        }
    }

    private func send(
        _ alert: OutgoingAlert, _ leaseEnd: UnixTime, over connections: any AlertConnections
    ) async {
        var alert = alert
        let result = await connections.send(AlertMessage(id: alert.id, body: alert.body), at: time.now())
        let next = alert.delivery.ended(result, at: time.now(), jitter: .random(in: 0...1))
        count(alert, next)
        do {
            try await outbox.settle(alert, claimedUntil: leaseEnd, next, at: time.now())
        } catch {
            logger.debug("an alert may be sent again", metadata: ["id": "\(alert.id)", "cause": "\(error)"])
        }
    }

    private func count(_ alert: OutgoingAlert, _ next: AlertDelivery.Next) {
        switch next {
        case .isDelivered: metrics.count(alert.kind, outbox.channel, .sent)
        case .retry: metrics.count(alert.kind, outbox.channel, .failed)
        case .isDead:
            metrics.count(alert.kind, outbox.channel, .dead)
            logger.error(
                "an alert was given up",
                metadata: [
                    "id": "\(alert.id)", "type": "\(alert.kind.rawValue)", "channel": "\(outbox.channel.rawValue)",
                    "user": "\(alert.user)",
                    "attempts": "\(alert.delivery.attempts)", "reason": "\(alert.delivery.failure ?? "-")",
                    "remedy": "tollgate alerts replay \(alert.id)",
                ])
        }
    }
}
