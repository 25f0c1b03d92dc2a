import Logging
import NIOPosix
import ServiceLifecycle
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

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
func withLocalGateway(
    settings: [String: String] = [:], time: ManualTime = ManualTime(UnixTime(seconds: 1_764_198_000)),
    _ body: @escaping @Sendable (LocalGateway) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory) { redis in
            let identity = try DevelopmentIdentity(directory: directory, issuer: "https://identity.test")
            let environment = Worker.environment(redisURL: redis.url, identity: identity)
                .merging(settings) { _, setting in setting }
            let gateway = try Gateway(
                configuration: try GatewayConfiguration.load(
                    flags: [:], environment: environment, workingDirectory: directory),
                time: time, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: .silent)
            let service = ServiceGroup(
                configuration: .init(services: [RunningGateway(gateway: gateway)], logger: .silent))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run() }
                let ports = try #require(await gateway.addresses.opened())
                try await eventually("the gateway is ready") {
                    try await HTTP.get("/readyz", port: ports.adminPort).status == 200
                }
                try await body(
                    LocalGateway(
                        port: ports.publicPort, adminPort: ports.adminPort, redis: redis, time: time,
                        identity: identity))
                await service.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
    }
}

/// A gateway that is shut down as at SIGTERM, but without a signal to the tests' own process.
private struct RunningGateway: Service {
    let gateway: Gateway

    func run() async throws { try await gateway.run(handlesSignals: false) }
}
