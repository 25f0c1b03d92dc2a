package import CoreMetrics
import PrometheusMetrics
import ReverseProxy
import Synchronization

/// What is counted of one route, with the handles made once.
final class RouteMetrics: Sendable {
    private let classes: [Counter]
    private let duration: CoreMetrics.Timer

    /// By the hundreds of a status.
    private static let classNames = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"]

    fileprivate init(_ name: String, factory: any MetricsFactory) {
        classes = Self.classNames.map {
            factory.counter(
                "tollgate_route_requests", [("route", name), ("status", $0)],
                help: "Requests of a route, by the class of the answer's status; none when the client left before.")
        }
        duration = factory.timer(
            "tollgate_route_duration_seconds", [("route", name)],
            help: "From the head of a route's request to the end of its answer.")
    }

    func ended(status: Int, nanoseconds: Int64) {
        classes[min(max(status / 100, 0), classes.count - 1)].increment()
        duration.recordNanoseconds(nanoseconds)
    }
}

/// The counts of all routes and upstreams that there have been. Their names are labels, so no more than a number of each
/// has one of its own; the others share one.
package final class RoutingMetrics: Sendable {
    /// Routes, and upstreams, with a label of their own.
    package static let maximumLabels = 100

    /// The label of all beyond.
    package static let otherLabel = "other"

    private struct State {
        var routes: [String: RouteMetrics] = [:]
        var failures: [String: Counter] = [:]

        /// By the label of the upstream and the path of the check.
        var health: [[String]: Meter] = [:]
    }

    private let factory: any MetricsFactory
    private let state = Mutex(State())

    package init(factory: any MetricsFactory) { self.factory = factory }

    func route(_ name: String) -> RouteMetrics {
        state.withLock { state in
            let label = state.routes.count < Self.maximumLabels || state.routes[name] != nil ? name : Self.otherLabel
            if let known = state.routes[label] { return known }
            let new = RouteMetrics(label, factory: factory)
            state.routes[label] = new
            return new
        }
    }

    /// An upstream gave no whole answer below 500.
    ///
    /// - Parameter upstream: `host:port`
    func upstreamFailed(_ upstream: String) {
        state.withLock { state in
            let isKnown = state.failures.count < Self.maximumLabels || state.failures[upstream] != nil
            let label = isKnown ? upstream : Self.otherLabel
            if let known = state.failures[label] { return known.increment() }
            let new = factory.counter(
                "tollgate_upstream_failures", [("upstream", label)],
                help: "Exchanges in which the upstream gave no whole answer below 500.")
            state.failures[label] = new
            new.increment()
        }
    }

    /// A check of an upstream's health says so from now on.
    func checked(_ upstream: Upstream, path: String, isUp: Bool) {
        state.withLock { $0.health[Self.label(upstream, path)]?.set(isUp ? 1 : 0) }
    }

    /// Those are the checks that there are now: new ones begin as up, and those that are gone end.
    func watch(_ checks: [(upstream: Upstream, path: String)]) {
        state.withLock { state in
            let wanted = Set(checks.map { Self.label($0.upstream, $0.path) })
            for (label, gauge) in state.health where !wanted.contains(label) {
                gauge.destroy()
                state.health[label] = nil
            }
            for label in wanted.sorted(by: { $0.lexicographicallyPrecedes($1) })
            where state.health[label] == nil && state.health.count < Self.maximumLabels {
                let gauge = factory.gauge(
                    "tollgate_upstream_up", [("upstream", label[0]), ("path", label[1])],
                    help: "1 while the health check of an upstream passes, and before its first result; else 0.")
                gauge.set(1)
                state.health[label] = gauge
            }
        }
    }

    private static func label(_ upstream: Upstream, _ path: String) -> [String] {
        ["\(upstream.host):\(upstream.port)", path]
    }
}
