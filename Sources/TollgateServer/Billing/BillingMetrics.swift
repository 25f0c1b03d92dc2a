import ClerkAuth
import CoreMetrics
import OutboundCalls
import PrometheusMetrics
import StripeBilling
import TollgateCore

/// What billing counts. Webhooks are few, so handles are found when they are needed; each metric is there from the start,
/// since no alert can be made of one that is not.
struct BillingMetrics: Sendable {
    let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        for outcome in WebhookOutcome.allCases { _ = webhooks(outcome, reason: "") }
        _ = unknownPrices
        for outcome in ["done", "failed"] { _ = reconciliations(outcome) }
        for outcome in ["mended", "known", "other", "failed"] { _ = reconciledSubscriptions(outcome) }
        for kind in CallError.Kind.allCases {
            _ = stripeErrors(kind)
            _ = clerkErrors(kind)
        }
    }

    /// What became of a webhook. The raw value is the label.
    enum WebhookOutcome: String, Sendable, CaseIterable {
        case applied
        /// Done before.
        case duplicate
        /// Another delivery of it is in work.
        case inWork = "in_work"
        /// Overtaken by a newer event.
        case stale
        /// Nothing to do with plans.
        case ignored
        /// About a subscription that sells no plan of ours.
        case foreign
        /// About an unknown user.
        case unknownUser = "unknown_user"
        /// Not signed by Stripe, or not readable.
        case rejected
        /// Redis, Stripe or Clerk could not be asked: Stripe sends it again.
        case failed
    }

    func webhook(_ outcome: WebhookOutcome, reason: String = "") { webhooks(outcome, reason: reason).increment() }

    /// A subscription was changed to a price that sells no plan.
    func unknownPrice() { unknownPrices.increment() }

    /// A reconciliation has ended.
    func reconciled(_ findings: ReconciliationFindings) {
        reconciliations("done").increment()
        let known = findings.checked - findings.mended - findings.others
        for (outcome, number) in [
            ("mended", findings.mended), ("known", known), ("other", findings.others), ("failed", findings.failures),
        ] {
            reconciledSubscriptions(outcome).increment(by: number)
        }
    }

    func reconciliationFailed() { reconciliations("failed").increment() }

    /// When the last ones were, of whatever worker.
    func reconciliations(_ history: ReconciliationHistory) {
        factory.gauge(
            "tollgate_reconciliation_timestamp_seconds",
            help: "When the last one ended, of whatever worker, in seconds since 1970."
        ).set(history.ranAt.seconds)
        guard let moment = history.wentThroughAllAt else { return }
        factory.gauge(
            "tollgate_reconciliation_complete_timestamp_seconds",
            help: "When all subscriptions were gone through last, in seconds since 1970."
        ).set(moment.seconds)
    }

    func stripeError(_ error: CallError) { stripeErrors(error.kind).increment() }
    func clerkError(_ error: CallError) { clerkErrors(error.kind).increment() }

    private func webhooks(_ outcome: WebhookOutcome, reason: String) -> Counter {
        factory.counter(
            "tollgate_webhooks", [("outcome", outcome.rawValue), ("reason", reason)], help: "Events of Stripe.")
    }

    private var unknownPrices: Counter {
        factory.counter(
            "tollgate_unknown_prices", help: "Subscriptions that were changed to a price that sells no plan.")
    }

    private func reconciliations(_ outcome: String) -> Counter {
        factory.counter(
            "tollgate_reconciliations", [("outcome", outcome)], help: "Reconciliations of this worker.")
    }

    private func reconciledSubscriptions(_ outcome: String) -> Counter {
        factory.counter(
            "tollgate_reconciled_subscriptions", [("outcome", outcome)],
            help: "Subscriptions that reconciliations have looked at.")
    }

    private func stripeErrors(_ kind: CallError.Kind) -> Counter {
        factory.counter("tollgate_stripe_errors", [("kind", kind.rawValue)], help: "Calls of Stripe that failed.")
    }

    private func clerkErrors(_ kind: CallError.Kind) -> Counter {
        factory.counter(
            "tollgate_clerk_errors", [("kind", kind.rawValue)], help: "Calls of Clerk's Backend API that failed.")
    }
}
