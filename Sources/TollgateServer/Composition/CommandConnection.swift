import AsyncHTTPClient
import ClerkAuth
import CoreMetrics
import Logging
import NIOCore
import OutboundCalls
import RedisClient
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// Why a command could ask nothing: one line.
package struct RedisUnreachable: Error, CustomStringConvertible {
    package let description: String
}

/// What a command needs of a gateway: its Redis, and those whom it calls, with the settings of `serve`.
struct CommandConnection {
    let redis: RedisClient
    let billing: Billing
    let time: any TimeSource

    /// What accepts session tokens. Asks Clerk for keys when the first one is to be verified.
    let authenticator: () throws -> ClerkAuthenticator

    /// How long Redis may take to answer for the first time.
    private static let patience = Duration.seconds(10)

    /// How long Redis may take for each answer, at least.
    private static let commandTimeout = TimeAmount.seconds(5)

    /// Runs `body` with the gateway that `configuration` describes, when its Redis answers.
    ///
    /// - Parameter time: What it goes by instead of the time of Redis. For tests.
    static func with<Value>(
        _ configuration: GatewayConfiguration, time: (any TimeSource)? = nil, eventLoopGroup: any EventLoopGroup,
        logger: Logger, _ body: (CommandConnection) async throws -> Value
    ) async throws -> Value {
        let clock = RedisClock(systemClock: SystemClock())
        var redisConfiguration = try configuration.redis.clientConfiguration
        redisConfiguration.greeting = clock.greeting
        // Nobody waits for a command as a caller does for a request, and a machine that is busy for a moment breaks none off.
        redisConfiguration.commandTimeout = max(redisConfiguration.commandTimeout, commandTimeout)
        let redis = try RedisClient(
            configuration: redisConfiguration, eventLoopGroup: eventLoopGroup, logger: logger)
        let httpClient = HTTPClient(
            eventLoopGroup: eventLoopGroup, configuration: .outbound(connect: .seconds(5), read: .seconds(10)))
        redis.start()
        let result: Result<Value, any Error>
        do {
            guard await redis.becomesReady(within: patience) else {
                throw RedisUnreachable(description: redis.unreachable(configuration))
            }
            let billing = Billing(
                configuration: configuration, plans: PlansInForce(configuration), redis: redis, httpClient: httpClient,
                time: time ?? clock,
                metrics: BillingMetrics(factory: NOOPMetricsHandler.instance), outages: .init(logger: logger),
                logger: logger)
            let connection = CommandConnection(redis: redis, billing: billing, time: time ?? clock) {
                try ClerkAuthenticator(
                    configuration: configuration.clerk.configuration, time: time ?? clock, httpClient: httpClient,
                    logger: logger)
            }
            result = .success(try await body(connection))
        } catch {
            result = .failure(error)
        }
        try? await httpClient.shutdown()
        await redis.shutDown()
        return try result.get()
    }
}

extension RedisClient {
    /// That it cannot be reached, where it is, and why, in a line.
    fileprivate func unreachable(_ configuration: GatewayConfiguration) -> String {
        let place = (try? configuration.redis.clientConfiguration).map { " at \($0.endpoint)" } ?? ""
        return "Redis\(place) cannot be reached\(lastFailure.map { ": \($0)" } ?? ""). tollgate doctor says what to do."
    }

    fileprivate func becomesReady(within limit: Duration) async -> Bool {
        let began = ContinuousClock.now
        // One that refuses is not waited for as long as one that does not answer.
        while !isReady, .now < began + (lastFailure == nil ? limit : min(limit, .seconds(3))) {
            try? await Task.sleep(for: .milliseconds(20))
        }
        return isReady
    }
}
