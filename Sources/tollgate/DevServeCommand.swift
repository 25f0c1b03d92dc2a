import ArgumentParser
import Logging
import NIOPosix
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `tollgate dev` without more: starts everything, prints where it is, stops it all at Ctrl-C.
struct DevServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Start everything and print how to use it.")

    @OptionGroup var data: DevDataOptions

    @Option(help: "The gateway's port; 0 takes a free one.")
    var port = 8080

    @Option(help: "The admin port; 0 takes a free one.")
    var adminPort = 9090

    @Option(help: "The stand-in identity provider's port; 0 takes a free one.")
    var identityPort = 9091

    @Option(help: "The private redis-server's port (default: a free one).")
    var redisPort: Int?

    @Option(help: "A tollgate.yaml with plans (default: ./tollgate.yaml where there is one).")
    var config: String?

    @Option(help: "The least severe log line that is written, from trace to critical.")
    var logLevel = "warning"

    @Flag(help: "Begin with an empty Redis.")
    var fresh = false

    func run() async throws {
        do {
            try LiveKeyGuard.refuse(environment: Process.environment)
            if fresh { try removeRedisData() }
            let redis = try await RedisServerProcess.start(
                directory: data.redisDirectory, port: redisPort, persistence: .appendOnly)
            do {
                try await run(on: redis)
            } catch {
                await redis.stop()
                throw error
            }
        } catch let error as InvalidConfiguration {
            throw Process.fail(error)
        } catch {
            throw Process.fail("\(error)")
        }
    }

    private func removeRedisData() throws {
        guard FileManager.default.fileExists(atPath: data.redisDirectory) else { return }
        try FileManager.default.removeItem(atPath: data.redisDirectory)
    }

    private func run(on redis: RedisServerProcess) async throws {
        let identity = try data.identity()
        let keyPort = identityPort == 0 ? try await Loopback.freePort() : identityPort
        let configuration = try GatewayConfiguration.load(
            flags: settings(redis: redis, identity: identity), environment: [:],
            // Not the user's directory: an .env there belongs to production.
            workingDirectory: data.data)
        let logger = Process.makeLogger(level: configuration.logLevel)
        let gateway = try Gateway(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads), logger: logger)
        let banner = DevBanner(
            dataDirectory: data.data,
            token: try identity.token(user: "user_abc", plan: "free", now: SystemClock().now()),
            redisPort: redis.port, identityPort: keyPort, gateway: gateway)
        try await gateway.run(above: [
            redis, DevelopmentIdentityServer(identity: identity, port: keyPort, logger: logger), banner,
        ])
    }

    private func settings(redis: RedisServerProcess, identity: DevelopmentIdentity) -> [String: String] {
        var settings = [
            "TOLLGATE_HOST": "127.0.0.1",
            "TOLLGATE_PORT": "\(port)",
            "TOLLGATE_ADMIN_PORT": "\(adminPort)",
            "TOLLGATE_LOG_LEVEL": logLevel,
            "TOLLGATE_DRAIN_SECONDS": "0",
            "REDIS_URL": redis.url,
            // Not from the provider's key set, which may not be served yet when the first line is pasted.
            "CLERK_JWT_KEY": identity.publicKeyPEM,
            "CLERK_ISSUER": identity.issuer,
            "FRONTEND_URL": "http://localhost:5173",
            "CORS_ORIGINS": "http://localhost:5174",
        ]
        let here = Process.workingDirectory
        if let config {
            settings["TOLLGATE_CONFIG"] = config.hasPrefix("/") ? config : "\(here)/\(config)"
        } else if FileManager.default.fileExists(atPath: "\(here)/tollgate.yaml") {
            settings["TOLLGATE_CONFIG"] = "\(here)/tollgate.yaml"
        }
        return settings
    }
}
