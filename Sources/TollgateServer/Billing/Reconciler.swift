import Libcrypto
import Logging
import StripeBilling
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// Finds and mends what no webhook has told: after days in which no worker ran, or in which Stripe could not reach one.
///
/// A run looks at the subscriptions of all events that were not delivered since the last run, and at those that are overdue.
/// Now and then, and when an operator asks for it, it goes through all subscriptions that Stripe has. One worker at a time
/// does it.
struct Reconciler: Sendable {
    let look: SubscriptionLook

    /// With a pace: Stripe allows 25 calls in a second in test mode, and users wait for others.
    let stripe: StripeClient

    let state: RedisReconciliation
    let time: any TimeSource
    let metrics: BillingMetrics
    let logger: Logger

    /// Events may appear later than they say that they were made.
    private static let overlapSeconds: Int64 = 3600

    /// Stripe tells of no older ones.
    private static let eventsKeptSeconds: Int64 = 30 * 86_400

    /// How often all subscriptions are gone through without being asked for.
    private static let completeSeconds: Int64 = 86_400

    /// Between two runs, be they of this worker or of another.
    private static let intervalSeconds: Int64 = 300

    /// How often a worker looks whether it is time: when the one that runs dies, another takes its place soon.
    private static let lookInterval: Duration = .seconds(30)

    /// Which prices sell which plan: what a subscription is worth. In one line.
    var terms: String { "\(look.prices); with another price \(look.unknownPrice.rawValue)" }

    /// The ``terms`` of the last run, of whatever worker. Nil when there was none.
    func lastTerms() async throws(WebhookFailure) -> String? {
        try await storedPersistently { () async throws(StoreUnavailable) in try await state.history()?.terms }
    }

    /// - Parameters:
    ///   - isComplete: Whether to go through all subscriptions, instead of when it is time.
    ///   - progress: Told after each page.
    ///   - setsTerms: Whether the next ones compare their terms with these: not when an operator overrules the workers'.
    /// - Returns: Nil when another worker is at it.
    func run(
        isComplete: Bool = false, setsTerms: Bool = true,
        progress: @escaping @Sendable (ReconciliationFindings) -> Void = { _ in }
    ) async throws(WebhookFailure) -> ReconciliationFindings? {
        let token = RandomBytes.hex(count: 16)
        guard try await holds(token) else { return nil }
        do {
            let findings = try await run(token, isComplete, setsTerms, progress)
            await release(token)
            metrics.reconciled(findings)
            return findings
        } catch {
            await release(token)
            metrics.reconciliationFailed()
            throw error
        }
    }

    /// Runs every few minutes, until the task is cancelled. One that fails is begun anew when the next is due.
    func runForEver() async {
        var triedTerms: String?
        // Workers that are started together do not ask all at once.
        var pause = Duration.milliseconds(Int64.random(in: 1000...5000))
        while (try? await Task.sleep(for: pause)) != nil {
            pause = Self.lookInterval
            guard time.isKnown else { continue }
            do throws(WebhookFailure) {
                // After a change of the plan table all is looked at anew: what sells a plan now may have been bought before.
                // Each worker does so once: in a rolling upgrade there are others with other terms.
                let (last, isDue) = (try await lastTerms(), try await isTime())
                let hasOtherTerms = triedTerms != terms && last != terms
                let isAsked = try await isAskedFor()
                guard isDue || hasOtherTerms || isAsked,
                    let findings = try await run(isComplete: hasOtherTerms || isAsked)
                else { continue }
                triedTerms = terms
                _ = try await isTime()
                log(findings)
            } catch {
                pause = .seconds(Self.intervalSeconds)
                logger.warning(
                    "the reconciliation with Stripe failed",
                    metadata: ["cause": "\(error.apiError.cause ?? error.reason)"])
            }
        }
    }

    /// Whether a run is due. The metrics of this worker tell from now on when the last one was, of whatever worker.
    private func isTime() async throws(WebhookFailure) -> Bool {
        let history = try await storedPersistently { () async throws(StoreUnavailable) in try await state.history() }
        guard let history else { return true }
        metrics.reconciliations(history)
        return time.now().seconds - history.ranAt.seconds >= Self.intervalSeconds
    }

    private func isAskedFor() async throws(WebhookFailure) -> Bool {
        try await storedPersistently { () async throws(StoreUnavailable) in
            let askedAt = try await state.askedAt()
            return ReconciliationHistory.isAwaited(askedAt: askedAt, try await state.history())
        }
    }

    private func log(_ findings: ReconciliationFindings) {
        let counts: Logger.Metadata = ["checked": "\(findings.checked)", "mended": "\(findings.mended)"]
        if findings.mended > 0 { logger.warning("subscriptions were not as they are at Stripe", metadata: counts) }
        guard findings.missing > 0 else { return }
        logger.warning(
            """
            Stripe does not know subscriptions whose period is over; their users keep the plan. Is STRIPE_SECRET_KEY of \
            the account that sold them?
            """, metadata: ["missing": "\(findings.missing)"])
    }

    private func run(
        _ token: String, _ isAsked: Bool, _ setsTerms: Bool,
        _ progress: @escaping @Sendable (ReconciliationFindings) -> Void
    ) async throws(WebhookFailure) -> ReconciliationFindings {
        let start = time.now()
        let history = try await storedPersistently { () async throws(StoreUnavailable) in try await state.history() }
        let last = history?.wentThroughAllAt
        let isComplete = isAsked || last.map { start.seconds - $0.seconds >= Self.completeSeconds } ?? true
        var pass = ReconciliationPass(look: look, stripe: stripe, logger: logger) {
            findings async throws(WebhookFailure) in
            progress(findings)
            guard !Task.isCancelled, try await holds(token) else {
                throw .store(StoreUnavailable(reason: "the reconciliation was broken off; the next one does the rest"))
            }
        }
        if isComplete { try await pass.goThroughAll() }
        let oldest = start.adding(seconds: -Self.eventsKeptSeconds)
        let seenUntil = history?.eventsSeenUntil ?? oldest
        let since = max(seenUntil.adding(seconds: -Self.overlapSeconds), oldest)
        let hasSeenEvents = try await pass.lookAtUndelivered(since: since)
        try await pass.lookAtOverdue(at: start)
        try await pass.lookAtUnpriced()
        let findings = pass.findings
        let result = ReconciliationHistory(
            ranAt: time.now(), wentThroughAllAt: isComplete ? start : last,
            eventsSeenUntil: hasSeenEvents ? start : seenUntil, checked: findings.checked, mended: findings.mended,
            failures: findings.failures, terms: setsTerms ? terms : history?.terms)
        try await storedPersistently { () async throws(StoreUnavailable) in try await state.write(result) }
        return findings
    }

    private func holds(_ token: String) async throws(WebhookFailure) -> Bool {
        try await storedPersistently { () async throws(StoreUnavailable) in try await state.hold(token: token) }
    }

    /// A task of its own, for the present one may have been cancelled: then Redis would not be asked.
    private func release(_ token: String) async {
        await Task { [state] in try? await state.release(token: token) }.value
    }
}
