import PrometheusMetrics
import Testing
import TollgateCore

@testable import TollgateDataPlane

@Suite struct RefusalMetricsTests {
    private static func decision(_ outcome: AdmissionDecision.Outcome) -> AdmissionDecision {
        let time = UnixTime(seconds: 1_764_198_000)
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(count: 0, limit: 5, plan: "free", period: BillingPeriod(containing: time)),
            rate: RateSnapshot(count: 0, limit: 100, window: RateWindow(containing: time)))
    }

    @Test func refusalsOfKeysAreCountedByTheirCode() {
        let registry = PrometheusRegistry()
        let metrics = GatewayMetrics(factory: registry)
        for refusal in KeyRefusal.allCases { metrics.admission(Self.decision(.keyRefused(refusal))) }
        for problem in APIKey.Problem.allCases { metrics.authenticationFailure(code: problem.rawValue) }
        metrics.authenticationFailure(code: "not-found")

        let text = registry.render()
        for code in KeyRefusal.allCases.map(\.rawValue) + APIKey.Problem.allCases.map(\.rawValue) {
            #expect(text.contains("tollgate_authentication_failures_total{reason=\"\(code)\"} 1"), "\(code)")
        }
        #expect(!text.contains("not-found"), "what refuses no credential is not counted here")
    }

    @Test func reusedIdempotencyKeysAreAnOutcomeOfAdmission() {
        let registry = PrometheusRegistry()
        let metrics = GatewayMetrics(factory: registry)
        let outcomes: [(AdmissionDecision.Outcome, String)] = [
            (.idempotencyKeyReused, "idempotency_key_reused"), (.idempotencyKeyInUse, "idempotency_key_in_use"),
            (.replayed, "replayed"),
        ]
        for (outcome, name) in outcomes {
            metrics.admission(Self.decision(outcome))
            #expect(registry.render().contains("tollgate_admissions_total{outcome=\"\(name)\"} 1"))
        }
    }
}
