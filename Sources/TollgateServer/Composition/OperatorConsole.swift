import AsyncHTTPClient
import CoreMetrics
package import Logging
package import NIOCore
import OutboundCalls
import RedisClient
package import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// The command line's door to what operators can ask and do: goes to Redis itself, with the settings of `serve`.
package enum OperatorConsole {
    /// Why nothing could be asked: one line.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs `body` with the operations of the gateway that `configuration` describes.
    package static func with<Value>(
        _ configuration: GatewayConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger,
        _ body: (OperatorAPI) async throws -> Value
    ) async throws -> Value {
        let clock = RedisClock(systemClock: SystemClock())
        var redisConfiguration = try configuration.redis.clientConfiguration
        redisConfiguration.greeting = clock.greeting
        let redis = try RedisClient(
            configuration: redisConfiguration, eventLoopGroup: eventLoopGroup, logger: logger)
        let httpClient = HTTPClient(
            eventLoopGroup: eventLoopGroup, configuration: .outbound(connect: .seconds(5), read: .seconds(10)))
        redis.start()
        let result: Result<Value, any Error>
        do {
            guard await redis.becomesReady(within: .seconds(10)) else {
                throw Failure(description: redis.unreachable(configuration))
            }
            let billing = Billing(
                configuration: configuration, redis: redis, httpClient: httpClient, time: clock,
                metrics: BillingMetrics(factory: NOOPMetricsHandler.instance), outages: .init(logger: logger),
                logger: logger)
            let composition = OperatorComposition(
                configuration: configuration, redis: redis, billing: billing, time: clock, logger: logger)
            result = .success(try await body(composition.api))
        } catch {
            result = .failure(error)
        }
        try? await httpClient.shutdown()
        await redis.shutDown()
        return try result.get()
    }
}
