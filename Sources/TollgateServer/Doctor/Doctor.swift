import AsyncHTTPClient
import ClerkAuth
package import Logging
package import NIOCore
import OutboundCalls
package import TollgateConfiguration
package import TollgateCore
import TollgateDataPlane

/// `tollgate doctor`: looks at everything that a worker with this configuration depends on. It gathers facts, each within
/// a deadline, and has them judged by functions that do nothing else.
package struct Doctor: Sendable {
    /// For each of the parts, which are looked at at the same time.
    private static let maximumDuration: Duration = .seconds(14)

    private let configuration: GatewayConfiguration
    private let time: any TimeSource
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger

    /// - Parameter time: The machine's clock.
    package init(
        configuration: GatewayConfiguration, time: any TimeSource = SystemClock(), eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) {
        self.configuration = configuration
        self.time = time
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
    }

    package func examine() async -> DoctorReport {
        let httpClient = HTTPClient(
            eventLoopGroup: eventLoopGroup, configuration: .outbound(connect: .seconds(3), read: .seconds(5)))
        let redis = RedisDoctor(
            configuration: configuration, time: time, eventLoopGroup: eventLoopGroup, logger: logger)
        let dependencies = DependencyDoctor(
            configuration: configuration, time: time, httpClient: httpClient, eventLoopGroup: eventLoopGroup,
            logger: logger)
        async let ofRedis = Self.bounded(.redis) { await redis.findings() }
        async let ofClerk = Self.bounded(.clerk) { await dependencies.clerk() }
        async let ofStripe = Self.bounded(.stripe) { await dependencies.stripe() }
        async let ofUpstreams = Self.bounded(.upstreams) { await dependencies.upstreams() }
        async let ofAlerts = Self.bounded(.alerts) { await dependencies.alerts() }
        async let ofCertificates = Self.bounded(.certificates) { await dependencies.certificates() }
        let findings = await ofRedis + ofClerk + ofStripe + ofUpstreams + ofAlerts + ofCertificates
        let report = DoctorReport(configured(httpClient) + findings + [descriptors])
        try? await httpClient.shutdown()
        return report
    }

    /// Whether everything that the configuration names can be reached: a part of ``examine()``, quick and without a trace.
    package func connect() async -> DoctorReport {
        let httpClient = HTTPClient(
            eventLoopGroup: eventLoopGroup, configuration: .outbound(connect: .seconds(3), read: .seconds(5)))
        let redis = RedisDoctor(
            configuration: configuration, time: time, eventLoopGroup: eventLoopGroup, logger: logger)
        let dependencies = DependencyDoctor(
            configuration: configuration, time: time, httpClient: httpClient, eventLoopGroup: eventLoopGroup,
            logger: logger)
        async let ofRedis = Self.bounded(.redis) { await redis.connection() }
        async let ofClerk = Self.bounded(.clerk) { await dependencies.clerk() }
        async let ofStripe = Self.bounded(.stripe) { await dependencies.stripe() }
        async let ofUpstreams = Self.bounded(.upstreams) { await dependencies.upstreams() }
        async let ofAlerts = Self.bounded(.alerts) { await dependencies.alerts() }
        let report = DoctorReport(await ofRedis + ofClerk + ofStripe + ofUpstreams + ofAlerts)
        try? await httpClient.shutdown()
        return report
    }

    /// - Parameter section: What is told not to have ended in time.
    private static func bounded(
        _ section: Finding.Section, _ look: @escaping @Sendable () async -> [Finding]
    ) async -> [Finding] {
        do {
            return try await withTimeLimit(maximumDuration, look)
        } catch {
            return [
                .fail(
                    section, "deadline", "This could not be looked at within \(maximumDuration).",
                    remedy: "Run the doctor again; if it stays so, see whether names are resolved and packets arrive.")
            ]
        }
    }

    /// What shows only when it is used, such as an invalid public key, and what works by halves.
    private func configured(_ httpClient: HTTPClient) -> [Finding] {
        do {
            _ = try ClerkAuthenticator(
                configuration: configuration.clerk.configuration, time: time, httpClient: httpClient, logger: logger)
        } catch {
            return [
                .fail(
                    .configuration, "configuration", "\(error)",
                    remedy: "Copy CLERK_JWT_KEY from Clerk's dashboard again.")
            ]
        }
        let counts = "\(configuration.plans.plans.count) plans, \(configuration.routes.routes.count) routes"
        return [.ok(.configuration, "configuration", counts)]
            + configuration.warnings.map {
                .warn(.configuration, "half-configured", "\($0.place): \($0.message)", remedy: $0.remedy)
            }
    }

    private var descriptors: Finding {
        .descriptors(
            limit: DescriptorBudget.processLimit, eventLoops: configuration.eventLoopCount,
            wantedConnections: configuration.maximumConnections)
    }
}

extension Finding {
    /// Fewer clients than this are few for a gateway.
    private static let fewConnections = 1000

    /// Judges how many files and sockets the process may have open.
    static func descriptors(limit: Int, eventLoops: Int, wantedConnections: Int?) -> Finding {
        let budget = DescriptorBudget(limit: limit, eventLoops: eventLoops, wantedConnections: wantedConnections)
        let remedy = "Raise the limit of open files: LimitNOFILE= in the unit, --ulimit nofile= of the container."
        if let wantedConnections, wantedConnections > budget.clientConnections {
            return .warn(
                .process, "descriptors",
                "TOLLGATE_MAX_CONNECTIONS is \(wantedConnections), and \(limit) descriptors are enough for "
                    + "\(budget.clientConnections).", remedy: remedy)
        }
        guard wantedConnections != nil || budget.clientConnections >= fewConnections else {
            return .warn(
                .process, "descriptors",
                "\(limit) descriptors are enough for \(budget.clientConnections) clients at once.", remedy: remedy)
        }
        return .ok(.process, "descriptors", "\(limit), for \(budget.clientConnections) clients at once")
    }
}
