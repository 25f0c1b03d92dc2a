import FoundationEssentials
import Logging
import PrometheusMetrics
import RedisClient
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What a worker tells of itself, and what the operator is told of all of them, put together.
struct FleetMonitoring {
    let configuration: GatewayConfiguration
    let redis: RedisClient
    let reporter: WorkerReporter

    private let stores: WorkerReporter.Stores
    private let time: any TimeSource
    private let clock: RedisClock
    private let reservations: ReservationKeeper
    private let outage: OutageLimiter

    init(
        configuration: GatewayConfiguration, redis: RedisClient, registry: PrometheusRegistry, callers: CallerCounts,
        drain: DrainState, workerID: String, addresses: GatewayAddresses, time: any TimeSource, clock: RedisClock,
        reservations: ReservationKeeper, outage: OutageLimiter, firstCallers: FirstCallers, accessLog: AccessLog?,
        logger: Logger
    ) {
        self.configuration = configuration
        self.redis = redis
        self.time = time
        self.clock = clock
        self.reservations = reservations
        self.outage = outage
        stores = WorkerReporter.Stores(
            fleet: RedisFleetStore(client: redis), topUsers: RedisTopUsers(client: redis),
            backlog: RedisWebhookBacklog(client: redis), users: RedisUserIndex(client: redis),
            firstCallers: firstCallers, requests: RedisRequestLog(client: redis), accessLog: accessLog)
        reporter = WorkerReporter(
            identity: WorkerIdentity(
                id: workerID, version: Version.current, host: ProcessInfo.processInfo.hostName,
                processID: Int(ProcessInfo.processInfo.processIdentifier), startedAt: time.now()),
            stores: stores, counters: TrafficCounters(registry: registry), callers: callers, drain: drain,
            address: { [host = configuration.host] in addresses.publicPort.map { "\(host):\($0)" } },
            sawWorkers: { outage.sawWorkers($0) }, time: time, logger: logger)
    }

    func overviewEndpoint(_ readiness: Readiness) -> OverviewEndpoint {
        OverviewEndpoint(
            fleet: stores.fleet, topUsers: stores.topUsers, backlog: stores.backlog,
            reconciliation: RedisReconciliation(client: redis),
            subscriptions: RedisSubscriptionStore(client: redis), inspection: RedisInspection(client: redis),
            redisUser: redisUser, reporter: reporter,
            reservations: reservations, outage: outage, clock: clock, readiness: readiness, time: time)
    }

    /// The one whom Redis' ACL knows the worker by.
    private var redisUser: String {
        (try? RedisEndpoint(url: configuration.redis.url.revealed))?.username ?? "default"
    }
}
