import JSONValue
import Logging
import NIOPosix
import ServiceLifecycle
import Synchronization
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

/// Gateways on one Redis, each of which can be ended on its own, in order or as a crash would.
final class ObservedGateways: Sendable {
    private struct Running: Sendable {
        let ports: GatewayAddresses.Ports
        let group: ServiceGroup
        let task: Task<Void, Never>
    }

    let redis: RedisServerProcess
    let time: ManualTime
    private let identity: DevelopmentIdentity
    private let running: [Running]

    fileprivate init(
        _ count: Int, redis: RedisServerProcess, time: ManualTime, identity: DevelopmentIdentity,
        configuration: GatewayConfiguration, logger: Logger
    ) async throws {
        (self.redis, self.time, self.identity) = (redis, time, identity)
        var running: [Running] = []
        for _ in 0..<count {
            let gateway = try Gateway(
                configuration: configuration, time: time, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: logger)
            let group = ServiceGroup(
                configuration: .init(services: [ObservedGateway(gateway: gateway)], logger: .silent))
            let task = Task { _ = try? await group.run() }
            running.append(
                Running(ports: try #require(await gateway.addresses.opened()), group: group, task: task))
        }
        self.running = running
        for gateway in running.indices {
            try await eventually("gateway \(gateway) is ready") {
                try await get("/readyz", of: gateway).status == 200
            }
        }
    }

    var count: Int { running.count }

    func port(_ gateway: Int = 0) -> Int { running[gateway].ports.publicPort }

    /// As SIGTERM would.
    func stop(_ gateway: Int) async {
        await running[gateway].group.triggerGracefulShutdown()
        await running[gateway].task.value
    }

    /// As a crash would: the other workers and Redis are told nothing.
    func kill(_ gateway: Int) async {
        running[gateway].task.cancel()
        await running[gateway].task.value
    }

    fileprivate func stopAll() async {
        for gateway in running.indices { await stop(gateway) }
    }

    func get(
        _ path: String, of gateway: Int = 0, headers: [(String, String)] = []
    ) async throws -> HTTP.Answer {
        try await HTTP.get(path, port: running[gateway].ports.adminPort, headers: headers)
    }

    func overview(of gateway: Int = 0) async throws -> JSON {
        let answer = try await get("/overview.json", of: gateway)
        try #require(answer.status == 200, "\(answer.body)")
        return try #require(JSON(parsing: answer.body.utf8))
    }

    func workers(by gateway: Int = 0) async throws -> [JSON] {
        try await overview(of: gateway)["workers"].elements ?? []
    }

    /// Where the workers say that they are.
    func addresses(by gateway: Int = 0) async throws -> [String] {
        try await workers(by: gateway).compactMap { $0["address"].string }
    }

    func explain(_ user: String) async throws -> JSON {
        let answer = try await get("/explain/\(user)")
        try #require(answer.status == 200, "\(answer.body)")
        return try #require(JSON(parsing: answer.body.utf8))
    }

    @discardableResult
    func verify(_ user: String, plan: String? = "free", on gateway: Int = 0) async throws -> Int {
        let token = try identity.token(user: user, plan: plan, now: time.now())
        return try await HTTP.verify(token, port: port(gateway)).status
    }

    /// A request of a user, with a session token.
    func send(
        _ method: String, _ path: String, as user: String, headers: [(String, String)] = [], body: String? = nil
    ) async throws -> HTTP.Answer {
        try await HTTP.send(method, path, port: port(), headers: [bearer(user)] + headers, body: body)
    }

    /// The field with a user's session token.
    func bearer(_ user: String, plan: String? = nil) throws -> (String, String) {
        ("Authorization", "Bearer \(try identity.token(user: user, plan: plan, now: time.now()))")
    }

    /// What Redis says that a user has used, asked without cost.
    func usedCalls(of user: String = "user_abc") async throws -> Int {
        let answer = try await send("GET", "/usage", as: user)
        return try #require(answer.usedCalls, "\(answer.body)")
    }
}

/// A gateway that is shut down as at SIGTERM, but without a signal to the tests' own process.
private struct ObservedGateway: Service {
    let gateway: Gateway

    func run() async throws { try await gateway.run(handlesSignals: false) }
}

/// Runs `body` on gateways and a redis-server of their own, at 2025-11-26T23:00:00Z.
func withObservedGateways(
    _ count: Int = 1, settings: [String: String] = [:], yaml: String? = nil, redisArguments: [String] = [],
    redisURL: @Sendable (RedisServerProcess) async throws -> String = { $0.url }, logger: Logger = .silent,
    _ body: (ObservedGateways) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory, extraArguments: redisArguments) { redis in
            let identity = try DevelopmentIdentity.shared()
            if let yaml { try Data(yaml.utf8).write(to: URL(filePath: directory).appending(path: "tollgate.yaml")) }
            let environment = Worker.environment(redisURL: try await redisURL(redis), identity: identity)
                .merging(settings) { $1 }
            let gateways = try await ObservedGateways(
                count, redis: redis, time: ManualTime(UnixTime(seconds: 1_764_198_000)), identity: identity,
                configuration: GatewayConfiguration.load(
                    flags: [:], environment: environment, workingDirectory: directory), logger: logger)
            do {
                try await body(gateways)
            } catch {
                await gateways.stopAll()
                throw error
            }
            await gateways.stopAll()
        }
    }
}
