import AsyncHTTPClient
import CoreMetrics
package import Logging
package import NIOCore
import OutboundCalls
import RedisClient
package import TollgateConfiguration
package import TollgateCore
import TollgateDataPlane
import TollgateStore

/// `tollgate reconcile`: goes through all subscriptions at Stripe, and mends what is not the same in Redis.
package struct ReconciliationCommand: Sendable {
    private let configuration: GatewayConfiguration
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let time: (any TimeSource)?

    /// - Parameter time: What it goes by instead of the time of Redis. For tests.
    package init(
        configuration: GatewayConfiguration, time: (any TimeSource)? = nil, eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) {
        self.configuration = configuration
        self.time = time
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
    }

    /// Why nothing was reconciled: one line.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// What was found.
    package struct Result: Sendable {
        /// Subscriptions that were looked at, those of them that were not as they are at Stripe, those that Stripe does not
        /// know, and those that could not be read or settled.
        package let checked, mended, missing, failures: Int
    }

    /// - Parameters:
    ///   - isComplete: Whether all of Stripe's subscriptions are gone through, instead of when it is time.
    ///   - progress: Told how many subscriptions were looked at and how many mended, after each page.
    ///   - onChange: Told in one line of each user whose purchases were not as they are at Stripe.
    package func run(
        isComplete: Bool = true, progress: @escaping @Sendable (_ checked: Int, _ mended: Int) -> Void,
        onChange: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> Result {
        let clock = RedisClock(systemClock: SystemClock())
        var redisConfiguration = try configuration.redis.clientConfiguration
        redisConfiguration.greeting = clock.greeting
        let redis = try RedisClient(
            configuration: redisConfiguration, eventLoopGroup: eventLoopGroup, logger: logger)
        let httpClient = HTTPClient(
            eventLoopGroup: eventLoopGroup, configuration: .outbound(connect: .seconds(5), read: .seconds(10)))
        redis.start()
        do {
            let result = try await run(isComplete, redis, httpClient, clock, progress, onChange)
            try await httpClient.shutdown()
            await redis.shutDown()
            return result
        } catch {
            try? await httpClient.shutdown()
            await redis.shutDown()
            throw error
        }
    }

    private func run(
        _ isComplete: Bool, _ redis: RedisClient, _ httpClient: HTTPClient, _ clock: RedisClock,
        _ progress: @escaping @Sendable (_ checked: Int, _ mended: Int) -> Void,
        _ onChange: @escaping @Sendable (String) -> Void
    ) async throws -> Result {
        let billing = Billing(
            configuration: configuration, redis: redis, httpClient: httpClient, time: time ?? clock,
            metrics: BillingMetrics(factory: NOOPMetricsHandler.instance), outages: .init(logger: logger),
            logger: logger)
        guard let reconciler = billing.reconciler(onChange: { onChange("\($0)") }) else {
            throw Failure(description: "STRIPE_SECRET_KEY is not set: there is nothing to compare with.")
        }
        guard await redis.becomesReady(within: .seconds(10)) else {
            throw Failure(description: redis.unreachable(configuration))
        }
        do {
            guard
                let findings = try await reconciler.run(
                    isComplete: isComplete, progress: { progress($0.checked, $0.mended) })
            else {
                throw Failure(description: "A worker reconciles just now; see HGETALL reconciliation when it is done.")
            }
            return Result(
                checked: findings.checked, mended: findings.mended, missing: findings.missing,
                failures: findings.failures)
        } catch let failure as WebhookFailure {
            throw Failure(description: failure.apiError.cause ?? failure.apiError.error)
        }
    }
}

extension RedisClient {
    /// That it cannot be reached, where it is, and why, in a line.
    func unreachable(_ configuration: GatewayConfiguration) -> String {
        let place = (try? configuration.redis.clientConfiguration).map { " at \($0.endpoint)" } ?? ""
        return "Redis\(place) cannot be reached\(lastFailure.map { ": \($0)" } ?? ""). tollgate doctor says what to do."
    }

    func becomesReady(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while !isReady, .now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
        return isReady
    }
}
