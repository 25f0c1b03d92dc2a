import Libcrypto
import Logging
import StripeBilling
import TollgateCore

/// Carries out what an event of Stripe's says, once: claim, apply, tell Clerk, done.
///
/// A worker may die at any point. Its claim runs out, Stripe sends the event again, and every step is idempotent.
struct WebhookProcessor: Sendable {
    let ledger: any WebhookLedger
    let subscriptions: any SubscriptionStore
    let stripe: StripeClient
    let prices: PriceTable

    /// Nil when there is no key for Clerk's Backend API: then the record alone counts.
    let clerkPlans: ClerkPlanUpdater?

    let time: any TimeSource
    let metrics: BillingMetrics
    let logger: Logger

    /// What became of an event.
    enum Outcome: Sendable, Hashable {
        case done
        case doneBefore
        case inWork(retryAfterSeconds: Int64)
    }

    /// - Throws: What stood in the way. The event is free again then, for Stripe's next try.
    func process(_ change: SubscriptionChange) async throws(WebhookFailure) -> Outcome {
        let token = RandomBytes.hex(count: 16)
        switch try await stored({ () async throws(StoreUnavailable) in
            try await ledger.claim(eventID: change.eventID, token: token)
        }) {
        case .done: return .doneBefore
        case .inWork(let seconds): return .inWork(retryAfterSeconds: seconds)
        case .claimed: break
        }
        do {
            metrics.webhook(try await carryOut(change), reason: change.kind.rawValue)
            try await stored { () async throws(StoreUnavailable) in
                try await ledger.markDone(eventID: change.eventID, token: token, at: time.now())
            }
            return .done
        } catch {
            // If this fails as well, the claim runs out. A task of its own, for this one may have been cancelled by the
            // shutdown: then Redis would not be asked, and Stripe's next try would find the event taken.
            await Task { [ledger] in _ = try? await ledger.release(eventID: change.eventID, token: token) }.value
            throw error
        }
    }

    private func carryOut(_ change: SubscriptionChange) async throws(WebhookFailure) -> BillingMetrics.WebhookOutcome {
        let evidence = try await evidence(of: change)
        guard let user = try await user(of: evidence.change) else {
            logger.warning(
                "webhook of an unknown user",
                metadata: ["event": "\(change.eventID)", "customer": "\(change.facts.customerID ?? "-")"])
            return .unknownUser
        }
        if let customerID = evidence.change.facts.customerID {
            try await stored { () async throws(StoreUnavailable) in
                try await subscriptions.recordCustomer(customerID, of: user)
            }
        }
        if try await isForeign(evidence.change, user) { return .foreign }
        switch try await apply(evidence, to: user) {
        case .applied, .alreadyApplied:
            try await clerkPlans?.tell(of: user)
            return .applied
        case .stale, .tie, .rivalry: return .stale
        }
    }

    /// A change, and whether it was settled by asking Stripe.
    private struct Evidence {
        let change: SubscriptionChange
        var isAuthoritative = false
    }

    /// A payment that came or did not come says nothing of the subscription; the subscription does.
    private func evidence(of change: SubscriptionChange) async throws(WebhookFailure) -> Evidence {
        switch change.kind {
        case .checkoutPaid, .subscription, .deleted: Evidence(change: change)
        case .paymentSucceeded, .paymentFailed: try await askStripe(about: change) ?? Evidence(change: change)
        }
    }

    /// The subscription as it is now, in the place of what the event says. Nil when Stripe has none.
    private func askStripe(about change: SubscriptionChange) async throws(WebhookFailure) -> Evidence? {
        guard let id = change.facts.subscriptionID else { return nil }
        do {
            guard var current = try await stripe.subscription(id: id) else { return nil }
            if current.userIDs.isEmpty { current.userIDs = change.facts.userIDs }
            if current.tier == nil { current.tier = change.facts.tier }
            let settled = SubscriptionChange(
                kind: .subscription, eventID: change.eventID, eventTime: change.eventTime, facts: current)
            return Evidence(change: settled, isAuthoritative: true)
        } catch {
            metrics.stripeError(error)
            throw .stripe(error)
        }
    }

    /// By what was set at checkout, else by whose customer it is.
    private func user(of change: SubscriptionChange) async throws(WebhookFailure) -> UserID? {
        if let user = change.facts.userIDs.first { return user }
        guard let customerID = change.facts.customerID else { return nil }
        return try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.user(ofCustomer: customerID)
        }
    }

    /// The account may sell other things than plans. A subscription that is recorded is one, whatever its price.
    private func isForeign(_ change: SubscriptionChange, _ user: UserID) async throws(WebhookFailure) -> Bool {
        guard change.isForeign(prices) else { return false }
        let record = try await stored { () async throws(StoreUnavailable) in try await subscriptions.record(of: user) }
        return record?.subscriptionID == nil || record?.subscriptionID != change.facts.subscriptionID
    }

    /// Applies the change, and asks Stripe what cannot be decided from here: each question once.
    private func apply(_ evidence: Evidence, to user: UserID) async throws(WebhookFailure) -> SubscriptionOutcome {
        var evidence = evidence
        var endedRivalID: String?
        while var update = evidence.change.update(
            of: user, prices: prices, isAuthoritative: evidence.isAuthoritative)
        {
            update.endedRivalID = endedRivalID
            let outcome = try await applyOnce(update)
            switch outcome {
            case .applied, .alreadyApplied, .stale: return outcome
            case .tie:
                guard !evidence.isAuthoritative else { return .stale }
                // Without a subscription to ask for, the event in hand is all there is.
                evidence =
                    try await askStripe(about: evidence.change)
                    ?? Evidence(change: evidence.change, isAuthoritative: true)
            case .rivalry(let record):
                guard let rivalID = record.subscriptionID, endedRivalID != rivalID, try await hasEnded(rivalID) else {
                    return .stale
                }
                endedRivalID = rivalID
            }
        }
        return .stale
    }

    private func hasEnded(_ subscriptionID: String) async throws(WebhookFailure) -> Bool {
        do {
            guard let subscription = try await stripe.subscription(id: subscriptionID) else { return true }
            return subscription.status?.isLive != true
        } catch {
            metrics.stripeError(error)
            throw .stripe(error)
        }
    }

    private func applyOnce(_ update: SubscriptionUpdate) async throws(WebhookFailure) -> SubscriptionOutcome {
        try await stored { () async throws(StoreUnavailable) in try await subscriptions.apply(update, at: time.now()) }
    }

    @discardableResult
    private func stored<Value>(
        _ operation: () async throws(StoreUnavailable) -> Value
    ) async throws(WebhookFailure) -> Value {
        do { return try await operation() } catch { throw .store(error) }
    }
}
