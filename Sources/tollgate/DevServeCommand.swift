import ArgumentParser
import Logging
import NIOPosix
import ServiceLifecycle
import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

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

    @Option(help: "The stand-in Stripe's port; 0 takes a free one.")
    var stripePort = 9092

    @Option(help: "The port of Clerk's stand-in Backend API; 0 takes a free one.")
    var clerkPort = 9093

    @Option(help: "The origin of your front end (default: the gateway itself, whose dashboard stands in).")
    var frontendURL: String?

    @Option(help: "The private redis-server's port; 0 takes a free one (default: 36379, or else a free one).")
    var redisPort: Int?

    @Option(help: "A YAML file with routes and plans (default: ./tollgate.yaml, which may also come later).")
    var config: String?

    @Option(help: "The least severe log line that is written, from trace to critical.")
    var logLevel = "notice"

    @Flag(help: "Begin with an empty Redis.")
    var fresh = false

    func run() async throws {
        do {
            try LiveKeyGuard.refuse(environment: Process.environment)
            tellOfAlertSettings()
            // Before anything of the data is touched: another one may work with it.
            let instance = try RunningInstance.take(data.data)
            if fresh { try removeRedisData() }
            let redis = try await RedisServerProcess.start(
                directory: data.redisDirectory, port: redisPort == 0 ? nil : redisPort,
                preferredPort: redisPort == nil ? Self.usualRedisPort : nil, persistence: .appendOnly)
            do {
                try await run(on: redis, instance)
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

    /// The environment is that of production, if it has any: what an operator sets to try alerts is not read either.
    private func tellOfAlertSettings() {
        let names = [Setting.alertURL, .alertSecret, .alertSMTPURL, .alertAllowPrivate].map(\.name)
            .filter { Process.environment[$0] != nil }
        guard !names.isEmpty else { return }
        Process.complain(
            "tollgate: \(names.joined(separator: ", ")) of the environment is not read here; in development alerts are "
                + "set up in tollgate.yaml, under 'alert:'.\n")
    }

    /// Where the guides look for Redis. Not 6379, which belongs to the user's own.
    private static let usualRedisPort = 36_379

    private func removeRedisData() throws {
        guard FileManager.default.fileExists(atPath: data.redisDirectory) else { return }
        try FileManager.default.removeItem(atPath: data.redisDirectory)
    }

    private func run(on redis: RedisServerProcess, _ instance: RunningInstance) async throws {
        let identity = try data.identity()
        let ports = try await DevPorts(
            gateway: port == 0 ? Loopback.freePort() : port,
            identity: identityPort == 0 ? Loopback.freePort() : identityPort,
            stripe: stripePort == 0 ? Loopback.freePort() : stripePort,
            clerk: clerkPort == 0 ? Loopback.freePort() : clerkPort)
        var settings = settings(redis: redis, identity: identity, ports: ports)
        var configuration = try load(settings)
        // One of our own where the file has none: a checkout is to sell what the file says.
        if configuration.plans["paid"] != nil, configuration.stripe.prices.price(ofPlan: "paid") == nil {
            settings["STRIPE_PRICE_ID"] = Self.priceID
            configuration = try load(settings)
        }
        let clock = RedisClock(systemClock: SystemClock())
        let logger = Process.makeLogger(
            level: configuration.logLevel, format: configuration.logFormat, time: clock)
        let gateway = try Gateway(
            configuration: configuration, clock: clock,
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: configuration.eventLoopCount), logger: logger,
            accessLines: Process.accessSink(configuration))
        let stripe = stripe(port: ports.stripe, logger: logger)
        let banner = DevBanner(
            data: data, redisPort: redis.port, isRedisPortTaken: redisPort == nil && redis.port != Self.usualRedisPort,
            ports: ports, configurationFile: configuration.file, stripe: stripe, gateway: gateway, instance: instance,
            samples: SampleUserPreparation(
                redisURL: redis.url, stripe: stripe,
                sale: Self.sale(configuration), time: SystemClock(), logger: logger))
        let file = DevSettingsFile(data: data)
        try file.write(
            settings.merging(configuration.file.identity == nil ? [:] : ["TOLLGATE_CONFIG": configuration.file.path]) {
                $1
            })
        defer { file.remove() }
        try await gateway.run(
            above: [
                redis,
                Self.onLoopback(
                    DevelopmentIdentityServer(
                        identity: identity, port: ports.identity, time: SystemClock(), logger: logger),
                    port: ports.identity, option: "--identity-port"),
                Self.onLoopback(
                    clerk(identity: identity, port: ports.clerk, logger: logger), port: ports.clerk,
                    option: "--clerk-port"),
                Self.onLoopback(stripe, port: ports.stripe, option: "--stripe-port"), banner,
            ], onRoutes: { banner.tell(of: $0) })
    }

    /// What the sample users who pay have: `paid`, or the first plan that is sold.
    private static func sale(_ configuration: GatewayConfiguration) -> SampleUserPreparation.Sale? {
        let prices = configuration.stripe.prices
        let plan = prices.plans.contains("paid") ? "paid" : prices.plans.first
        return plan.flatMap { plan in prices.price(ofPlan: plan).map { .init(plan: plan, price: $0) } }
    }

    private func load(_ settings: [String: String]) throws(InvalidConfiguration) -> GatewayConfiguration {
        try GatewayConfiguration.load(
            flags: settings, environment: [:],
            // Not the user's directory: an .env there belongs to production.
            workingDirectory: data.data, defaultFile: "\(Process.workingDirectory)/tollgate.yaml")
    }

    private static func onLoopback<Server: Service>(
        _ server: Server, port: Int, option: String
    ) -> PortService<Server> {
        PortService(server, host: "127.0.0.1", port: port, option: option)
    }

    private func stripe(port: Int, logger: Logger) -> StripeStandIn {
        var configuration = StripeStandIn.Configuration(webhookSecret: Self.webhookSecret)
        configuration.port = port
        configuration.file = "\(data.redisDirectory)/stripe.json"
        configuration.usersBeginningAnew = Set(SampleUser.all.map(\.userID.value))
        return StripeStandIn(configuration: configuration, time: SystemClock(), logger: logger)
    }

    private func clerk(identity: DevelopmentIdentity, port: Int, logger: Logger) -> ClerkAPIStandIn {
        var configuration = ClerkAPIStandIn.Configuration()
        configuration.port = port
        return ClerkAPIStandIn(
            configuration: configuration, identity: identity, time: SystemClock(), logger: logger)
    }

    private static let webhookSecret = "whsec_development"
    private static let priceID = "price_development"

    private func settings(
        redis: RedisServerProcess, identity: DevelopmentIdentity, ports: DevPorts
    ) -> [String: String] {
        var settings = [
            "TOLLGATE_HOST": "127.0.0.1",
            "TOLLGATE_PORT": "\(ports.gateway)",
            "TOLLGATE_ADMIN_PORT": "\(adminPort)",
            "TOLLGATE_ADMIN_AUTH": "none",
            "TOLLGATE_LOG_LEVEL": logLevel,
            "TOLLGATE_LOG_FORMAT": "text",
            "TOLLGATE_DRAIN_SECONDS": "0",
            "REDIS_URL": redis.url,
            // Not from the provider's key set, which may not be served yet when the first line is pasted.
            "CLERK_JWT_KEY": identity.publicKeyPEM,
            "CLERK_ISSUER": identity.issuer,
            // Where the dashboard finds what stands in for ClerkJS.
            "CLERK_PUBLISHABLE_KEY": DevelopmentIdentityServer.publishableKey(port: ports.identity),
            "CLERK_JS_URL": DevelopmentIdentityServer.clerkScriptURL(port: ports.identity),
            "CLERK_SECRET_KEY": "sk_test_development",
            "CLERK_API_URL": "http://127.0.0.1:\(ports.clerk)",
            "STRIPE_SECRET_KEY": "sk_test_development",
            "STRIPE_WEBHOOK_SECRET": Self.webhookSecret,
            "STRIPE_API_URL": "http://127.0.0.1:\(ports.stripe)",
            "FRONTEND_URL": frontendURL ?? "http://127.0.0.1:\(ports.gateway)",
            "CORS_ORIGINS": "http://localhost:5173,http://localhost:5174",
        ]
        if let config {
            settings["TOLLGATE_CONFIG"] = config.hasPrefix("/") ? config : "\(Process.workingDirectory)/\(config)"
        }
        return settings
    }
}

/// Where everything listens but Redis and the admin port.
struct DevPorts {
    let gateway: Int
    let identity: Int
    let stripe: Int
    let clerk: Int
}
