import CoreMetrics
import Logging
import NIOCore
import OutboundCalls
import RedisClient
import ServiceLifecycle
import TollgateConfiguration
import TollgateCore
import TollgateStore

/// What tells the operator, put together: alerts come from admissions and from what the sweep finds, wait in an outbox for
/// each channel, and are sent by whichever worker is free.
struct Alerts: Sendable {
    private let publisher: AlertPublisher
    private let senders: [(name: String, sender: AlertSender)]
    private let sweeper: AlertSweeper

    /// - Throws: What makes the system's certificate authorities unusable, where mail is sent.
    init(
        settings: AlertSettings, plans: InForce<PlanTable>, crossings: QuotaCrossings, firstCallers: FirstCallers,
        redis: RedisClient, keys: any KeyStore, eventLoopGroup: any EventLoopGroup, metrics: AlertMetrics,
        time: any TimeSource, logger: Logger
    ) throws {
        let outboxes = RedisAlertOutboxes(settings.channels, client: redis)
        publisher = AlertPublisher(
            crossings: crossings, outboxes: outboxes, users: firstCallers, time: time, logger: logger)
        func sender(_ channel: Alert.Channel, to receiver: any AlertReceiver) -> AlertSender {
            AlertSender(
                outbox: RedisAlertOutbox(channel, client: redis), receiver: receiver, metrics: metrics, time: time,
                logger: logger)
        }
        func outage() -> ServiceOutage {
            ServiceOutage(
                logger: logger, remedy: "look at the receiver; alerts are sent again for a day, and kept for longer")
        }
        var senders: [(name: String, sender: AlertSender)] = []
        if let webhook = settings.webhook {
            let receiver = WebhookReceiver(
                settings: webhook, allowsPrivateNetworks: settings.allowsPrivateNetworks,
                eventLoopGroup: eventLoopGroup, outage: outage())
            senders.append(("sending alerts", sender(.webhook, to: receiver)))
        }
        if let mail = settings.mail {
            let receiver = try MailReceiver(
                settings: mail, allowsPrivateNetworks: settings.allowsPrivateNetworks, eventLoopGroup: eventLoopGroup,
                outage: outage())
            senders.append(("mailing alerts", sender(.email, to: receiver)))
        }
        self.senders = senders
        sweeper = AlertSweeper(
            state: RedisAlertSweep(client: redis), outboxes: outboxes, users: RedisUserIndex(client: redis),
            data: RedisUserData(client: redis), keys: keys, plans: plans, time: time, logger: logger)
    }

    /// What runs as long as the worker: the last of them is ended first.
    var services: [(name: String, service: any Service)] {
        senders.map { ($0.name, $0.sender) } + [
            ("the alerts of admissions", publisher),
            ("the sweep for alerts", BackgroundService { [sweeper] in await sweeper.runForEver() }),
        ]
    }
}
