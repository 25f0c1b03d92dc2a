import ClerkAuth
import CoreMetrics
import OutboundCalls
import StripeBilling
import TollgateCore

/// What billing counts. Webhooks are few, so the handles are made when they are needed.
struct BillingMetrics: Sendable {
    let factory: any MetricsFactory

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

    func webhook(_ outcome: WebhookOutcome, reason: String = "") {
        count("tollgate_webhooks", [("outcome", outcome.rawValue), ("reason", reason)])
    }

    /// A subscription was changed to a price that sells no plan.
    func unknownPrice() { count("tollgate_unknown_prices", []) }

    func reconciled(_ findings: ReconciliationFindings) {
        count("tollgate_reconciliations", [("outcome", "done")])
        let known = findings.checked - findings.mended - findings.others
        for (outcome, number) in [
            ("mended", findings.mended), ("known", known), ("other", findings.others), ("failed", findings.failures),
        ] {
            Counter(
                label: "tollgate_reconciled_subscriptions", dimensions: [("outcome", outcome)], factory: factory
            ).increment(by: number)
        }
    }

    func reconciliationFailed() { count("tollgate_reconciliations", [("outcome", "failed")]) }

    /// When the last ones were, of whatever worker.
    func reconciliations(_ history: ReconciliationHistory) {
        record("tollgate_reconciliation_timestamp_seconds", history.ranAt)
        if let moment = history.wentThroughAllAt {
            record("tollgate_reconciliation_complete_timestamp_seconds", moment)
        }
    }

    private func record(_ label: String, _ moment: UnixTime) {
        Gauge(label: label, dimensions: [], factory: factory).record(moment.seconds)
    }

    func stripeError(_ error: CallError) { count("tollgate_stripe_errors", [("kind", error.kind.rawValue)]) }

    func clerkError(_ error: CallError) { count("tollgate_clerk_errors", [("kind", error.kind.rawValue)]) }

    private func count(_ label: String, _ dimensions: [(String, String)]) {
        Counter(label: label, dimensions: dimensions, factory: factory).increment()
    }
}
