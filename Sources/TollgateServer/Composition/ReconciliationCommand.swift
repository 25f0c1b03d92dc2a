package import Logging
package import NIOCore
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
    ///   - isForced: Whether it is done also where plans are sold at other prices here than by the workers.
    ///   - progress: Told how many subscriptions were looked at and how many mended, after each page.
    ///   - onChange: Told in one line of each user whose purchases were not as they are at Stripe.
    /// - Throws: One line that says why nothing, or not all, was reconciled.
    package func run(
        isComplete: Bool = true, isForced: Bool = false,
        progress: @escaping @Sendable (_ checked: Int, _ mended: Int) -> Void,
        onChange: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> Result {
        try await CommandConnection.with(
            configuration, time: time, eventLoopGroup: eventLoopGroup, logger: logger
        ) { connection in
            guard let reconciler = connection.billing.reconciler(onChange: { onChange("\($0)") }) else {
                throw Failure(description: "STRIPE_SECRET_KEY is not set: there is nothing to compare with.")
            }
            do {
                if !isForced { try await checkTerms(of: reconciler) }
                guard
                    let findings = try await reconciler.run(
                        isComplete: isComplete, setsTerms: !isForced, progress: { progress($0.checked, $0.mended) })
                else { throw Failure(description: Self.isTaken) }
                return Result(
                    checked: findings.checked, mended: findings.mended, missing: findings.missing,
                    failures: findings.failures)
            } catch let failure as WebhookFailure {
                guard !Task.isCancelled else {
                    throw Failure(description: "broken off; what was mended is, and the next run does the rest")
                }
                throw Failure(description: failure.apiError.cause ?? failure.apiError.error)
            }
        }
    }

    private static let isTaken = """
        Another reconciliation is under way; HGETALL reconciliation tells of it when it is done. Of one that was killed \
        the turn ends within \(RedisReconciliation.leaseSeconds) seconds: try again then.
        """

    /// Who pays for a price that is unknown here would lose the plan that the workers give for it.
    private func checkTerms(of reconciler: Reconciler) async throws {
        guard let theirs = try await reconciler.lastTerms(), theirs != reconciler.terms else { return }
        throw Failure(
            description: """
                plans are sold otherwise here than by the workers, and users would lose what they pay for. Here: \
                \(reconciler.terms). There: \(theirs). Give the workers' settings (--config), or, after a change of the \
                plan table, wait for the workers' next run, five minutes at most. --force does it all the same.
                """)
    }
}
