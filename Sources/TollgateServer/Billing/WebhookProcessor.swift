import Libcrypto
import StripeBilling
import TollgateCore

/// Carries out what an event of Stripe's asks for, once: claim, look at the subscription, tell Clerk, done.
///
/// A worker may die at any point. Its claim runs out, Stripe sends the event again, and every step is idempotent.
struct WebhookProcessor: Sendable {
    let ledger: any WebhookLedger
    let look: SubscriptionLook
    let time: any TimeSource
    let metrics: BillingMetrics

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
            let outcome = try await carryOut(change)
            metrics.webhook(outcome.metric, reason: change.kind.rawValue)
            // When a link was made, or a plan has a price, the event is sent again from Stripe's dashboard.
            guard outcome != .unknownUser, outcome != .foreign else {
                await release(change.eventID, token)
                return .done
            }
            try await stored { () async throws(StoreUnavailable) in
                try await ledger.markDone(eventID: change.eventID, token: token, at: time.now())
            }
            return .done
        } catch {
            await release(change.eventID, token)
            throw error
        }
    }

    /// If this fails, the claim runs out. A task of its own, for the present one may have been cancelled by the shutdown:
    /// then Redis would not be asked, and Stripe's next try would find the event taken.
    private func release(_ eventID: String, _ token: String) async {
        await Task { [ledger] in _ = try? await ledger.release(eventID: eventID, token: token) }.value
    }

    private func carryOut(_ change: SubscriptionChange) async throws(WebhookFailure) -> SubscriptionLook.Outcome {
        try await look.look(atReasonGivenBy: change)
    }
}

extension SubscriptionLook.Outcome {
    fileprivate var metric: BillingMetrics.WebhookOutcome {
        switch self {
        case .applied: .applied
        case .known, .stale: .stale
        case .foreign: .foreign
        case .unknownUser: .unknownUser
        }
    }
}
