import PrometheusMetrics
import TollgateCore
import TollgateDataPlane

/// What a worker has counted since it started.
struct TrafficCounts: Sendable, Hashable {
    /// Requests of routes, `/verify-auth` and `/authorize`, whatever the answer: no page, no file, no check of health.
    var requests = 0
    var admitted = 0

    /// By the `code` of the answer.
    var refused: [String: Int] = [:]
}

/// Reads from the worker's own metrics how much it has had to do: what is counted already is not counted again.
struct TrafficCounters: Sendable {
    private let requests: CounterSeries?
    private let admitted: CounterSeries?
    private let refusals: [(code: String, series: CounterSeries)]

    /// - Parameter registry: The one that ``GatewayMetrics`` counts in.
    init(registry: PrometheusRegistry) {
        func series(_ label: String, _ dimensions: [(String, String)] = []) -> CounterSeries? {
            registry.makeCounter(label: label, dimensions: dimensions) as? CounterSeries
        }
        requests = series("tollgate_calls")
        admitted = series("tollgate_admissions", [("outcome", "admitted")])
        let refusedAdmissions = [
            ("rate_limited", "rate-limit-exceeded"), ("quota_exceeded", "quota-exceeded"),
            ("idempotency_key_reused", "idempotency-key-reused"),
            ("idempotency_key_in_use", "idempotency-key-in-use"),
        ].map { outcome, code in (code, series("tollgate_admissions", [("outcome", outcome)])) }
        let failures = GatewayMetrics.failureCodes.map { code in
            (code, series("tollgate_authentication_failures", [("reason", code)]))
        }
        let all = refusedAdmissions + failures + [("service-unavailable", series("tollgate_store_unavailable"))]
        refusals = all.compactMap { code, series in series.map { (code, $0) } }
    }

    func read() -> TrafficCounts {
        TrafficCounts(
            requests: requests?.count ?? 0, admitted: admitted?.count ?? 0,
            refused: Dictionary(refusals.map { ($0.code, $0.series.count) }) { $0 + $1 })
    }
}
