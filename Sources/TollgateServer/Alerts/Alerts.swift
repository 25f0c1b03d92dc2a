import CoreMetrics
import Logging
import NIOCore
import OutboundCalls
import RedisClient
import ServiceLifecycle
import TollgateConfiguration
import TollgateCore
import TollgateStore

/// What tells the operator, put together: alerts come from admissions and from what the sweep finds, wait in the outbox, and
/// are sent by whichever worker is free.
struct Alerts: Sendable {
    let outbox: RedisAlertOutbox
    private let publisher: AlertPublisher
    private let sender: AlertSender
    private let sweeper: AlertSweeper

    init(
        settings: AlertSettings, plans: InForce<PlanTable>, crossings: QuotaCrossings, firstCallers: FirstCallers,
        redis: RedisClient, keys: any KeyStore, eventLoopGroup: any EventLoopGroup, metrics: AlertMetrics,
        time: any TimeSource, logger: Logger
    ) {
        outbox = RedisAlertOutbox(client: redis)
        publisher = AlertPublisher(
            crossings: crossings, outbox: outbox, users: firstCallers, time: time, logger: logger)
        let outage = ServiceOutage(
            logger: logger, remedy: "look at the receiver; alerts are sent again for a day, and kept for longer")
        sender = AlertSender(
            outbox: outbox,
            receiver: AlertReceiver(settings: settings, eventLoopGroup: eventLoopGroup, outage: outage),
            metrics: metrics, time: time, logger: logger)
        sweeper = AlertSweeper(
            state: RedisAlertSweep(client: redis), outbox: outbox, users: RedisUserIndex(client: redis),
            data: RedisUserData(client: redis), keys: keys, plans: plans, time: time, logger: logger)
    }

    /// What runs as long as the worker: the last of them is ended first.
    var services: [(name: String, service: any Service)] {
        [
            ("sending alerts", sender), ("the alerts of admissions", publisher),
            ("the sweep for alerts", BackgroundService { [sweeper] in await sweeper.runForEver() }),
        ]
    }
}
