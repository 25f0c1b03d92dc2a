import Libcrypto
import Logging
import OutboundCalls
import StripeBilling
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// Finds and mends what no webhook has told: after days in which no worker ran, or in which Stripe could not reach one.
///
/// A run looks at the subscriptions of all events that were not delivered since the last run. Now and then, and when an
/// operator asks for it, it goes through all subscriptions that Stripe has. One worker at a time does it.
struct Reconciler: Sendable {
    let look: SubscriptionLook
    let stripe: StripeClient
    let state: RedisReconciliation
    let time: any TimeSource
    let logger: Logger

    /// Between two pages: a fifth of what Stripe allows in test mode.
    private static let pause: Duration = .milliseconds(200)

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

    /// What a run has found so far.
    struct Findings: Sendable, Hashable {
        var checked = 0
        var mended = 0

        /// Subscriptions that no user is known for, that sell no plan, or that ended before anything was known of them.
        var others = 0

        /// Those that could not be read or settled, and of which Clerk could not be told. The others were.
        var failures = 0
    }

    /// - Parameters:
    ///   - isComplete: Whether to go through all subscriptions, instead of when it is time.
    ///   - progress: Told after each page.
    /// - Returns: Nil when another worker is at it.
    func run(
        isComplete: Bool = false, progress: @Sendable (Findings) -> Void = { _ in }
    ) async throws(WebhookFailure) -> Findings? {
        let token = RandomBytes.hex(count: 16)
        guard try await holds(token) else { return nil }
        do {
            let findings = try await run(token, isComplete, progress)
            await release(token)
            return findings
        } catch {
            await release(token)
            throw error
        }
    }

    /// Runs every few minutes, until the task is cancelled. One that fails is begun anew when the next is due.
    func runForEver() async {
        // Workers that are started together do not ask all at once.
        var pause = Duration.milliseconds(Int64.random(in: 1000...5000))
        while (try? await Task.sleep(for: pause)) != nil {
            pause = Self.lookInterval
            guard time.isKnown else { continue }
            do throws(WebhookFailure) {
                guard try await isTime(), let findings = try await run(), findings.mended > 0 else { continue }
                logger.warning(
                    "subscriptions were not as they are at Stripe",
                    metadata: ["checked": "\(findings.checked)", "mended": "\(findings.mended)"])
            } catch {
                pause = .seconds(Self.intervalSeconds)
                logger.warning(
                    "the reconciliation with Stripe failed",
                    metadata: ["cause": "\(error.apiError.cause ?? error.reason)"])
            }
        }
    }

    private func isTime() async throws(WebhookFailure) -> Bool {
        let last = try await stored { () async throws(StoreUnavailable) in try await state.history() }?.ranAt
        return last.map { time.now().seconds - $0.seconds >= Self.intervalSeconds } ?? true
    }

    private func run(
        _ token: String, _ isAsked: Bool, _ progress: @Sendable (Findings) -> Void
    ) async throws(WebhookFailure) -> Findings {
        let start = time.now()
        let history = try await stored { () async throws(StoreUnavailable) in try await state.history() }
        let last = history?.wentThroughAllAt
        let isComplete = isAsked || last.map { start.seconds - $0.seconds >= Self.completeSeconds } ?? true
        var findings = Findings()
        if isComplete {
            try await goThroughAll(token, &findings, progress)
        }
        let oldest = start.adding(seconds: -Self.eventsKeptSeconds)
        let seenUntil = history?.eventsSeenUntil ?? oldest
        let since = max(seenUntil.adding(seconds: -Self.overlapSeconds), oldest)
        let hasSeenEvents = try await lookUnlessRefused(since: since, token, &findings, progress)
        let result = ReconciliationHistory(
            ranAt: time.now(), wentThroughAllAt: isComplete ? start : last,
            eventsSeenUntil: hasSeenEvents ? start : seenUntil, checked: findings.checked, mended: findings.mended)
        try await stored { () async throws(StoreUnavailable) in try await state.write(result) }
        return findings
    }

    // MARK: Events

    /// A key that may not read events is no reason to do all else again and again.
    ///
    /// - Returns: False when Stripe refuses to tell.
    private func lookUnlessRefused(
        since moment: UnixTime, _ token: String, _ findings: inout Findings, _ progress: @Sendable (Findings) -> Void
    ) async throws(WebhookFailure) -> Bool {
        do {
            try await lookAtUndelivered(since: moment, token, &findings, progress)
            return true
        } catch {
            guard case .stripe(let refusal) = error, [400, 403, 404].contains(refusal.httpStatus) else { throw error }
            logger.warning(
                "Stripe does not tell which events were not delivered; the key must be allowed to read events",
                metadata: ["cause": "\(refusal)"])
            return false
        }
    }

    private func lookAtUndelivered(
        since moment: UnixTime, _ token: String, _ findings: inout Findings, _ progress: @Sendable (Findings) -> Void
    ) async throws(WebhookFailure) {
        var (last, seen): (String?, Set<String>) = (nil, [])
        repeat {
            let page = try await asked { () async throws(CallError) in
                try await stripe.undeliveredEvents(since: moment, after: last)
            }
            for case let event? in page.elements {
                guard case .subscriptionChanged(let change) = event.meaning, event.isLive == stripe.isLive,
                    let id = change.facts.subscriptionID, seen.insert(id).inserted
                else { continue }
                let hints = SubscriptionLook.Hints(facts: change.facts, isDeleted: change.kind == .deleted)
                try await settle(&findings) { () async throws(WebhookFailure) in
                    try await look.look(at: id, hints, writesWhatIsKnown: false)
                }
            }
            last = page.next
            try await goOn(token, findings, progress)
        } while last != nil
    }

    // MARK: All

    private func goThroughAll(
        _ token: String, _ findings: inout Findings, _ progress: @Sendable (Findings) -> Void
    ) async throws(WebhookFailure) {
        var last: String?
        repeat {
            let seenAt = try await beginningOfPage(after: last)
            let page = try await asked { () async throws(CallError) in try await stripe.subscriptions(after: last) }
            for facts in page.elements {
                guard let facts else {
                    findings.failures += 1
                    logger.error("a subscription of Stripe's cannot be read")
                    continue
                }
                try await settle(&findings) { () async throws(WebhookFailure) in
                    try await look.take(facts, seenAt: seenAt)
                }
            }
            last = page.next
            try await goOn(token, findings, progress)
        } while last != nil
    }

    /// Counts what becomes of one subscription. Where it cannot be settled, the others can be all the same, unless Redis or
    /// Stripe are away.
    private func settle(
        _ findings: inout Findings, _ look: () async throws(WebhookFailure) -> SubscriptionLook.Outcome
    ) async throws(WebhookFailure) {
        do {
            findings.add(try await look())
        } catch {
            guard error.isOfOne else { throw error }
            findings.failures += 1
            logger.error(
                "a subscription could not be reconciled",
                metadata: ["cause": "\(error.apiError.cause ?? error.reason)"])
        }
    }

    /// When a page is asked for. A second early, for each server of a cluster has its own clock: a look at a single
    /// subscription, which goes by the right one, is never undone by a page that was made before.
    private func beginningOfPage(after last: String?) async throws(WebhookFailure) -> UnixTime {
        try await stored { () async throws(StoreUnavailable) in
            try await look.subscriptions.now(for: last ?? "").adding(seconds: -1)
        }
    }

    /// Waits, so that others can ask Stripe as well, and keeps the turn.
    private func goOn(
        _ token: String, _ findings: Findings, _ progress: @Sendable (Findings) -> Void
    ) async throws(WebhookFailure) {
        progress(findings)
        guard (try? await Task.sleep(for: Self.pause)) != nil, try await holds(token) else {
            throw .store(StoreUnavailable(.unreachable, reason: "the reconciliation was broken off"))
        }
    }

    private func holds(_ token: String) async throws(WebhookFailure) -> Bool {
        try await stored { () async throws(StoreUnavailable) in try await state.hold(token: token) }
    }

    /// A task of its own, for the present one may have been cancelled: then Redis would not be asked.
    private func release(_ token: String) async {
        await Task { [state] in try? await state.release(token: token) }.value
    }

    private func asked<Value>(
        _ question: () async throws(CallError) -> Value
    ) async throws(WebhookFailure) -> Value {
        do { return try await question() } catch { throw .stripe(error) }
    }

    @discardableResult
    private func stored<Value>(
        _ operation: () async throws(StoreUnavailable) -> Value
    ) async throws(WebhookFailure) -> Value {
        do { return try await operation() } catch { throw .store(error) }
    }
}

extension WebhookFailure {
    /// It concerns one subscription, or its user.
    fileprivate var isOfOne: Bool {
        switch self {
        case .store(let error): error.cause != .unreachable && error.cause != .clockDiffers
        case .stripe(let error): !error.isTemporary && error.kind != .cancelled && error.httpStatus != 401
        case .clerk, .clerkIsBusy: true
        }
    }
}

extension Reconciler.Findings {
    fileprivate mutating func add(_ outcome: SubscriptionLook.Outcome) {
        checked += 1
        switch outcome {
        case .applied: mended += 1
        case .stale: break
        case .foreign, .unknownUser: others += 1
        }
    }
}
