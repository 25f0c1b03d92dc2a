import AsyncHTTPClient
import ClerkAuth
import CoreMetrics
import Hummingbird
package import Logging
package import NIOCore
import NIOPosix
import OutboundCalls
import PrometheusMetrics
import RedisClient
package import ServiceLifecycle
package import TollgateConfiguration
package import TollgateCore
import TollgateDataPlane
package import TollgateStore
import UnixSignals

/// One worker, put together: the only place that knows all parts. `tollgate serve`, `tollgate dev` and the tests all
/// build it here.
package struct Gateway: Sendable {
    private let configuration: GatewayConfiguration
    private let plans: PlansInForce
    private let configurationLines: InForce<[ConfigurationLine]>
    private let logger: Logger
    private let eventLoopGroup: any EventLoopGroup
    private let httpClient: HTTPClient
    private let redis: RedisClient
    private let redisClock: RedisClock
    private let authenticator: ClerkAuthenticator
    private let controlPlane: ControlPlane
    private let dataPlane: DataPlane
    private let metricsRegistry: PrometheusRegistry
    private let metrics: GatewayMetrics

    /// Nil when no line is written for a request.
    private let accessLog: AccessLog?
    private let reporter: WorkerReporter

    /// Nil where nothing is sold.
    private let reconciler: Reconciler?

    /// Nil where none are sent.
    private let alerts: Alerts?
    private let reservations: ReservationKeeper
    private let outage: OutageLimiter
    private let admin: AdminEndpoints
    private let descriptors: DescriptorBudget
    private let adminRoom: ConnectionRoom
    private let drain = DrainState()
    private let readiness: Readiness
    private let parts = RunningParts()
    private let requestIDs = RequestIDGenerator()

    /// Where the two ports were opened, as soon as they are.
    package let addresses = GatewayAddresses()

    /// - Parameters:
    ///   - clock: What the worker goes by.
    ///   - time: What it goes by instead, also where it measures the age of a lease, whatever time it is for Redis. For
    ///     tests.
    ///   - sink: Where the access log goes. Nil: there is none.
    /// - Throws: `InvalidConfiguration` for what shows only when it is used, such as an invalid certificate.
    package init(
        configuration: GatewayConfiguration, clock: RedisClock = RedisClock(systemClock: SystemClock()),
        time: (any TimeSource)? = nil, eventLoopGroup: any EventLoopGroup, logger: Logger,
        accessLines sink: AccessSink? = nil
    ) throws {
        self.configuration = configuration
        plans = PlansInForce(configuration)
        configurationLines = InForce(configuration.lines)
        self.logger = logger
        self.eventLoopGroup = eventLoopGroup
        descriptors = DescriptorBudget(
            limit: DescriptorBudget.processLimit, eventLoops: configuration.eventLoopCount,
            wantedConnections: configuration.maximumConnections)
        adminRoom = ConnectionRoom(capacity: descriptors.adminConnections)
        metricsRegistry = PrometheusRegistry(namespace: "tollgate")
        metrics = GatewayMetrics(factory: metricsRegistry)
        httpClient = HTTPClient(
            eventLoopGroup: eventLoopGroup, configuration: .outbound(connect: .seconds(5), read: .seconds(10)))
        redisClock = clock
        var redisConfiguration = try configuration.redis.clientConfiguration
        redisConfiguration.greeting = clock.greeting
        redisConfiguration.scripts = RedisAdmissionStore.hotScripts(
            plans: configuration.plans, comparesClocks: time == nil)
        redis = try RedisClient(
            configuration: redisConfiguration, eventLoopGroup: eventLoopGroup, logger: logger)
        let goesByRedis = time == nil
        let time = time ?? clock
        AccessLog.droppedLines(metricsRegistry)
        accessLog =
            configuration.accessLog.isOn
            ? sink?.log(
                sample: configuration.accessLog.sample, time: time, eventLoopGroup: eventLoopGroup,
                metricsFactory: metricsRegistry) : nil
        authenticator = try ClerkAuthenticator(
            configuration: configuration.clerk.configuration, time: time, httpClient: httpClient, logger: logger)
        let redisDuration = metricsRegistry.timer(
            "tollgate_redis_duration_seconds",
            help: "From sending an admission to Redis until it answers; admissions that go together count once.")
        // One whose time is given does nothing by itself.
        let crossings = configuration.alerts == nil || !goesByRedis ? nil : QuotaCrossings()
        let store = RedisAdmissionStore(
            client: redis, plans: plans.plans, pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds,
            clock: goesByRedis ? clock : nil, maximumGroup: configuration.redis.admissionGroup, crossings: crossings,
            answered: { redisDuration.recordNanoseconds($0) })
        let health = AdmissionHealth(isCluster: redis.isCluster)
        let monotonicMilliseconds: @Sendable () -> Int64 = {
            goesByRedis ? RedisClock.milliseconds(NIODeadline.now()) : time.now().milliseconds
        }
        reservations = ReservationKeeper(
            port: { eventLoop in
                guard let port = store.port(on: eventLoop) else {
                    preconditionFailure("the worker's event loops are those of its Redis client")
                }
                return port
            }, time: time, monotonicMilliseconds: monotonicMilliseconds,
            eventLoopGroup: eventLoopGroup, metricsFactory: metricsRegistry, metrics: metrics, logger: logger)
        outage = OutageLimiter(
            plans: plans.plans, workerID: requestIDs.workerID, bookings: store, time: time,
            tally: OutageTally(factory: metricsRegistry, metrics: metrics, logger: logger))
        let callers = CallerCounts(eventLoopGroup: eventLoopGroup)
        let admission = AdmissionState(
            authenticator: authenticator, keyOwners: PlatformKeyOwners(client: redis), outage: outage,
            callers: callers, health: health, metrics: metrics, requestIDs: requestIDs, logger: logger)
        let gatekeeper = Gatekeeper(admission: admission, store: store, time: time, reservations: reservations)
        let billing = Billing(
            configuration: configuration, plans: plans, redis: redis, httpClient: httpClient, time: time,
            metrics: BillingMetrics(factory: metricsRegistry), outages: .init(logger: logger), logger: logger)
        // One whose time is given does nothing by itself.
        reconciler =
            configuration.stripe.webhookSecrets.isEmpty || !goesByRedis
            ? nil : billing.reconciler { logger.info("a subscription was mended", metadata: ["user": "\($0)"]) }
        let (credentials, keys) = (RedisCredentialStore(client: redis), IndexedKeyStore(client: redis))
        let alertMetrics = AlertMetrics(factory: metricsRegistry)
        if let settings = configuration.alerts, let crossings {
            alerts = try Alerts(
                settings: settings, plans: plans.plans, crossings: crossings,
                firstCallers: store.firstCallers, redis: redis, keys: keys, eventLoopGroup: eventLoopGroup,
                metrics: alertMetrics, time: time, logger: logger)
        } else {
            alerts = nil
        }
        let tickets = RedisTicketStore(client: redis)
        let reads = AccountReads(gatekeeper: gatekeeper)
        let stores = AccountStores(
            subscriptions: billing.subscriptions, credentials: credentials, keys: keys,
            history: RedisUsageHistory(client: redis))
        controlPlane = ControlPlane(
            gatekeeper: gatekeeper, credentials: credentials, keys: keys,
            tickets: TicketEndpoint(
                gatekeeper: gatekeeper, tickets: tickets, bodyLimitBytes: configuration.bodyLimitBytes),
            checkout: billing.checkoutEndpoints(gatekeeper: gatekeeper), webhook: billing.webhookEndpoint,
            account: AccountEndpoint(reads: reads, stores: stores, offers: billing.offers),
            history: UsageHistoryEndpoint(reads: reads, history: stores.history),
            dashboard: configuration.dashboard.isOn ? DashboardSite(signIn: configuration.dashboard.signIn) : nil,
            time: time, bodyLimitBytes: configuration.bodyLimitBytes,
            logger: logger)
        let routing = RoutingState(
            eventLoopGroup: eventLoopGroup,
            settings: configuration.upstreamSettings(reservedDescriptors: descriptors.reservedFrom),
            metrics: RoutingMetrics(factory: metricsRegistry), logger: logger)
        try routing.replace(with: configuration.routes)
        let endpoints = controlPlane.endpoints
        dataPlane = DataPlane(
            admission: admission, reservations: reservations, time: time,
            cors: configuration.corsPolicy, metrics: metrics, proxyMetrics: ProxyMetrics(factory: metricsRegistry),
            requestIDs: requestIDs,
            answers: AnswerWriter(requestIDs: requestIDs, clock: AnswerClock(time: time)), routing: routing,
            trustedProxies: configuration.trustedProxies, isControlPath: { endpoints.owns($0) },
            accessLog: accessLog, logger: logger)
        readiness = Readiness(
            drain: drain, redis: redis, authenticator: authenticator, health: health, time: time)
        let monitoring = FleetMonitoring(
            configuration: configuration, redis: redis, registry: metricsRegistry, callers: callers, drain: drain,
            workerID: requestIDs.workerID, addresses: addresses, time: time, clock: clock,
            reservations: reservations, outage: outage, firstCallers: store.firstCallers, accessLog: accessLog,
            logger: logger)
        reporter = monitoring.reporter
        let operators = OperatorComposition(
            configuration: configuration, redis: redis, billing: billing, authenticator: authenticator,
            routes: { routing.table }, time: time, logger: logger, accessLog: accessLog,
            configurationLines: configurationLines)
        admin = AdminEndpoints(
            readiness: readiness, requestIDs: requestIDs, configuredHost: configuration.adminHost,
            authentication: AdminAuthentication(
                tokens: configuration.adminTakesTokens ? RedisAdminTokens(client: redis) : nil, time: time),
            operators: OperatorDoor(api: operators.api), overview: monitoring.overviewEndpoint(readiness),
            explanation: operators.explanation(store, keys),
            renderMetrics: Self.renderMetrics(of: metricsRegistry, redis, clock))
    }

    /// Takes other routes into force, without dropping a request.
    ///
    /// - Throws: What makes the upstreams' TLS settings unusable; the old routes stay then.
    func replaceRoutes(with table: RouteTable) throws { try dataPlane.routing.replace(with: table) }

    /// Serves until SIGTERM or SIGINT, then drains: not ready any more, still serving; then the public port closes when
    /// its requests are answered, then everything below it.
    ///
    /// - Parameters:
    ///   - lowerServices: What the worker stands on; started before it and stopped after it.
    ///   - handlesSignals: Whether to act on the process' signals. Tests cancel instead.
    ///   - onRoutes: Is told the routes that come into force while the worker runs.
    package func run(
        above lowerServices: [any Service] = [], handlesSignals: Bool = true,
        onRoutes: @escaping @Sendable (RouteTable) -> Void = { _ in }
    ) async throws {
        descriptors.logShortfall(of: configuration.maximumConnections, to: logger)
        configuration.logMissingThreads(to: logger)
        for warning in configuration.warnings {
            logger.warning("a setting works by halves", metadata: ["setting": "\(warning)"])
        }
        let watcher = ConfigurationWatcher(configuration: configuration, logger: logger) { [self] in
            if take($0) { onRoutes($0.routes) }
        }
        parts.began("the HTTP client")
        // Lower first: the group shuts down in reverse order.
        let services: [any Service] =
            lowerServices.map { parts.part("what the worker stands on", $0) }
            + (accessLog.map { [parts.part("the access log", $0)] } ?? []) + [
                parts.part("Redis", RedisService(client: redis) { [parts] in parts.last != "Redis" }),
                parts.part(
                    "the clock",
                    BackgroundService { [redisClock, redis, logger] in await redisClock.run(redis, logger: logger) }),
                parts.part("the reservations", reservations.service),
                parts.part("the calls of an outage", outage.service),
            ] + (alerts?.services ?? []).map { parts.part($0.name, $0.service) } + [
                parts.part("the signing keys", BackgroundService { [authenticator] in await authenticator.run() }),
                parts.part("the worker's report", reporter),
                parts.part("the reconciliation", BackgroundService { [reconciler] in await reconciler?.runForEver() }),
                parts.part(
                    "the admin port",
                    PortService(
                        adminApplication, host: configuration.adminHost, port: configuration.adminPort,
                        option: "--admin-port")),
                parts.part(
                    "requests on the public port",
                    PortService(
                        publicPort, host: configuration.host, port: configuration.port, option: "--port")),
                parts.part("the configuration's watcher", watcher),
                parts.part("SIGHUP", BackgroundService { if handlesSignals { await Self.reload(watcher) } }),
                parts.part(
                    "draining", DrainService(state: drain, seconds: configuration.drainSeconds, logger: logger)),
            ]
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: handlesSignals ? [.sigterm, .sigint] : [], logger: logger)
        // A request that never ends must not keep a worker for ever.
        group.maximumGracefulShutdownDuration = .seconds(
            configuration.drainSeconds + Self.maximumShutdownSeconds - Self.secondsToEnd)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            dataPlane.routing.shutDown()
            try? await httpClient.shutdown()
            throw error
        }
        dataPlane.routing.shutDown()
        try await httpClient.shutdown()
    }

    /// Has the configuration read again at each SIGHUP.
    private static func reload(_ watcher: ConfigurationWatcher) async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) { watcher.reload() }
    }

    /// - Returns: Whether they are in force.
    /// Takes the routes and the plans of `configuration` into force.
    ///
    /// - Returns: False when the routes cannot be.
    private func take(_ configuration: GatewayConfiguration) -> Bool {
        do {
            try replaceRoutes(with: configuration.routes)
        } catch {
            logger.error("routes and plans stay as they are", metadata: ["cause": "\(error)"])
            return false
        }
        configurationLines.replace(with: self.configuration.lines(afterReloading: configuration))
        if plans.take(configuration) {
            logger.notice(
                "other plans are in force",
                metadata: ["plans": "\(configuration.plans.plans.map(\.name).joined(separator: " "))"])
        }
        return true
    }

    /// Whether a metered call would be answered, tried just now.
    package func isReady() async -> Bool { await readiness.obstacle() == nil }

    /// What a shutdown that does not end waits for.
    package var shutdownWaitsFor: String { parts.last ?? "nothing that is known" }

    /// How long a shutdown may take, after ``GatewayConfiguration/drainSeconds``.
    package static let maximumShutdownSeconds = 30

    /// Of them, what is left for the end of requests that were broken off.
    private static let secondsToEnd = 3

    private var publicPort: PublicPort {
        PublicPort(
            address: (configuration.host, configuration.port),
            limits: ConnectionLimits(
                idleTimeout: .seconds(Int64(configuration.idleTimeoutSeconds)),
                headBytes: configuration.headerLimitBytes, bodyBytes: configuration.bodyLimitBytes),
            cap: ConnectionCap(budget: descriptors, metricsFactory: metricsRegistry, logger: logger),
            maximumConnections: descriptors.clientConnections + AcceptLimit.refusalsUnderWay,
            drain: drain, dataPlane: dataPlane,
            respond: controlPlane.responder(
                requestIDs: requestIDs, cors: configuration.corsPolicy, metrics: metrics, logger: quietLogger),
            eventLoopGroup: eventLoopGroup,
            whenOpen: { [addresses, logger] channel in
                logger.notice("serving", metadata: ["address": "\(channel.boundAddress)"])
                addresses.publicPortOpened(channel.localAddress?.port)
            })
    }

    private var adminApplication: some Service {
        Application(
            router: admin.router(),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        AnswerDate(clock: dataPlane.answers.clock), IdleConnectionEnd(room: adminRoom),
                    ],
                    idleTimeout: .seconds(Int64(configuration.idleTimeoutSeconds)))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.adminHost, port: configuration.adminPort),
                availableConnectionsDelegate: AcceptLimit(maximum: descriptors.adminConnections)),
            onServerRunning: { [addresses, logger] channel in
                await AcceptPause.install(on: channel)
                logger.notice("admin port open", metadata: ["address": "\(channel.boundAddress)"])
                addresses.adminPortOpened(channel.localAddress?.port)
            },
            eventLoopGroupProvider: .shared(eventLoopGroup),
            logger: quietLogger)
    }

    /// The frameworks' own start and stop messages say nothing that ours do not.
    private var quietLogger: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .notice)
        return logger
    }

    private static func renderMetrics(
        of registry: PrometheusRegistry, _ redis: RedisClient, _ clock: RedisClock
    ) -> @Sendable () -> String {
        let ready = registry.gauge(
            "tollgate_redis_connections_ready", help: "Connections of event loops that can be used now.")
        let wanted = registry.gauge(
            "tollgate_redis_connections", help: "Connections of event loops that there are to be.")
        let ahead = registry.gauge(
            "tollgate_clock_ahead_seconds",
            help: "How far the machine's clock is ahead of Redis' time; negative when it is behind.")
        let build = registry.gauge(
            "tollgate_build_info", [("version", Version.current)], help: "1, with the version of the program.")
        build.set(1)
        return {
            ready.set(redis.readyConnectionCount)
            wanted.set(redis.connectionCount)
            if let milliseconds = clock.wallClockAheadMilliseconds { ahead.set(Double(milliseconds) / 1000) }
            return registry.render()
        }
    }
}

extension Channel {
    fileprivate var boundAddress: String {
        guard let address = localAddress, let host = address.ipAddress, let port = address.port else { return "?" }
        return "\(host):\(port)"
    }
}
