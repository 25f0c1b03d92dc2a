import Logging
import NIOPosix
import ServiceLifecycle
import TestSupport
import Testing
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A gateway inside the test's own process, so that the test says what time it is.
struct LocalGateway {
    let port: Int
    let adminPort: Int
    let redis: RedisServerProcess
    let time: ManualTime
    let identity: DevelopmentIdentity

    func token(_ user: String, plan: String? = "free", lifetimeSeconds: Int = 3600) throws -> String {
        try identity.token(user: user, plan: plan, now: time.now(), lifetimeSeconds: lifetimeSeconds)
    }

    func verify(_ user: String, plan: String? = "free") async throws -> HTTP.Answer {
        try await HTTP.verify(try token(user, plan: plan), port: port)
    }
}

/// Runs `body` on a gateway and a redis-server of its own, at 2025-11-26T23:00:00Z unless told otherwise.
///
/// - Parameters:
///   - yaml: What stands in the `tollgate.yaml`. Nil for none.
///   - becomesReady: False for one that lacks what it needs to be ready.
func withLocalGateway(
    settings: [String: String] = [:], yaml: String? = nil, becomesReady: Bool = true,
    time: ManualTime = ManualTime(UnixTime(seconds: 1_764_198_000)),
    _ body: @escaping @Sendable (LocalGateway) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory) { redis in
            let identity = try DevelopmentIdentity.shared()
            if let yaml { try Data(yaml.utf8).write(to: URL(filePath: directory).appending(path: "tollgate.yaml")) }
            let environment = Worker.environment(redisURL: redis.url, identity: identity)
                .merging(settings) { _, setting in setting }
            try await withGateways(
                1, environment: environment, directory: directory, time: time, becomeReady: becomesReady
            ) { ports in
                try await body(
                    LocalGateway(
                        port: ports[0].publicPort, adminPort: ports[0].adminPort, redis: redis, time: time,
                        identity: identity))
            }
        }
    }
}

/// Runs `body` while so many gateways run in the test's own process, each as a worker would.
func withGateways(
    _ count: Int, environment: [String: String], directory: String, time: any TimeSource, becomeReady: Bool = true,
    logger: Logger = .silent, _ body: @escaping @Sendable ([GatewayAddresses.Ports]) async throws -> Void
) async throws {
    let configuration = try GatewayConfiguration.load(
        flags: [:], environment: environment, workingDirectory: directory)
    let gateways = try (0..<count).map { _ in
        try Gateway(
            configuration: configuration, time: time, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger)
    }
    let service = ServiceGroup(
        configuration: .init(services: gateways.map { RunningGateway(gateway: $0) }, logger: .silent))
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await service.run() }
        var ports: [GatewayAddresses.Ports] = []
        for gateway in gateways { ports.append(try #require(await gateway.addresses.opened())) }
        for port in ports {
            try await eventually("the gateway is \(becomeReady ? "ready" : "there")") {
                try await HTTP.get("/readyz", port: port.adminPort).status == (becomeReady ? 200 : 503)
            }
        }
        try await body(ports)
        await service.triggerGracefulShutdown()
        try await group.waitForAll()
    }
}

/// A gateway that is shut down as at SIGTERM, but without a signal to the tests' own process.
private struct RunningGateway: Service {
    let gateway: Gateway

    func run() async throws { try await gateway.run(handlesSignals: false) }
}
