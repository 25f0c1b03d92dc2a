package import CoreMetrics
import PrometheusMetrics
package import ReverseProxy

/// What the data plane counts beside every request, with the handles made once.
package struct ProxyMetrics: Sendable {
    private let failures: [String: Counter]
    private let retries: Counter

    private static let reasons = [
        "bad_gateway", "unavailable", "gateway_timeout", "client_stalled", "client_gone", "request",
    ]

    package init(factory: any MetricsFactory) {
        failures = Dictionary(
            uniqueKeysWithValues: Self.reasons.map {
                (
                    $0,
                    factory.counter(
                        "tollgate_proxy_failures", [("reason", $0)], help: "Exchanges without a whole answer.")
                )
            })
        retries = factory.counter("tollgate_proxy_retries", help: "Further attempts at an upstream.")
    }

    package func ended(_ outcome: ProxyOutcome) {
        if outcome.retries > 0 { retries.increment(by: outcome.retries) }
        guard let error = outcome.error else { return }
        let reason =
            switch error {
            case .badGateway: "bad_gateway"
            case .unavailable: "unavailable"
            case .gatewayTimeout: "gateway_timeout"
            case .clientStalled: "client_stalled"
            case .clientGone: "client_gone"
            case .request: "request"
            }
        failures[reason]?.increment()
    }
}
