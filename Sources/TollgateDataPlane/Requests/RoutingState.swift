package import Logging
package import NIOCore
package import ReverseProxy
import Synchronization
package import TollgateCore

/// A route with all that is needed to carry its requests.
final class ActiveRoute: Sendable {
    let route: Route
    let policy: AdmissionPolicy
    let proxy: ProxyRoute
    let metrics: RouteMetrics

    /// Nil for a route that only answers other proxies.
    let group: UpstreamGroup?

    init(_ route: Route, group: UpstreamGroup?, metrics: RouteMetrics) {
        self.route = route
        self.group = group
        self.metrics = metrics
        policy = AdmissionPolicy(route)
        proxy = ProxyRoute(route)
    }

    /// What the upstream is asked for.
    func uri(_ target: RequestTarget) -> String {
        guard route.stripsPrefix, let prefix = route.path.strippablePrefix else { return target.text }
        return String(target.stripping(prefix))
    }
}

/// The routes in force. Replaced as a whole when the configuration is read again: requests in progress end with those
/// that they began with, and connections to upstreams that stay are kept.
package final class RoutingState: Sendable {
    /// A class, so that handing it out is a retain and not a copy of all its parts.
    final class Snapshot: Sendable {
        let table: RouteTable

        /// By the routes' places in the table.
        let routes: [ActiveRoute]

        fileprivate init(table: RouteTable, routes: [ActiveRoute]) {
            self.table = table
            self.routes = routes
        }
    }

    private let upstreams: UpstreamRegistry
    package let metrics: RoutingMetrics
    let outages: UpstreamOutages
    private let snapshot = Mutex(Snapshot(table: .empty, routes: []))

    package init(
        eventLoopGroup: any EventLoopGroup, settings: UpstreamSettings, metrics: RoutingMetrics, logger: Logger
    ) {
        self.metrics = metrics
        outages = UpstreamOutages(logger: logger)
        upstreams = UpstreamRegistry(settings: settings, eventLoops: Array(eventLoopGroup.makeIterator())) {
            metrics.checked($0, path: $1.path, isUp: $2)
            logger.notice(
                "upstream health changed",
                metadata: ["upstream": "\($0.host):\($0.port)", "path": "\($1.path)", "isUp": "\($2)"])
        }
    }

    var current: Snapshot { snapshot.withLock(\.self) }

    /// The table in force.
    package var table: RouteTable { current.table }

    /// Takes `table` into force.
    ///
    /// - Throws: `NIOSSLError` when the TLS settings are unusable; the old routes stay then.
    package func replace(with table: RouteTable) throws {
        let groups = try upstreams.replace(with: table.routes.map(\.members))
        metrics.watch(
            table.routes.flatMap(\.members).compactMap { member in member.check.map { (member.upstream, $0.path) } })
        let next = Snapshot(
            table: table,
            routes: zip(table.routes, groups).map {
                ActiveRoute($0, group: $1, metrics: metrics.route($0.name))
            })
        snapshot.withLock { $0 = next }
    }

    /// Ends what runs by itself. Requests in progress end in their own time.
    package func shutDown() { upstreams.shutDown() }
}

extension Route {
    /// Nil when nothing is left out.
    fileprivate var strippedPrefix: String? {
        guard stripsPrefix, let prefix = path.strippablePrefix, !prefix.isEmpty else { return nil }
        return String(prefix)
    }

    /// The upstreams that take part at all.
    fileprivate var members: [UpstreamMember] {
        let check = healthCheck.map {
            UpstreamCheck(
                path: $0.path, interval: .milliseconds(Int64($0.intervalMilliseconds)),
                timeout: .milliseconds(Int64($0.timeoutMilliseconds)))
        }
        return upstreams.filter { $0.weight > 0 }.map {
            UpstreamMember(
                // Unqualified it is the route's own.
                ReverseProxy.Upstream(host: $0.connectHost, port: $0.port, usesTLS: $0.usesTLS), weight: $0.weight,
                check: check)
        }
    }
}

extension Route.Upstream {
    /// Without the brackets of an IPv6 address.
    fileprivate var connectHost: String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host }
}

extension ProxyRoute {
    fileprivate init(_ route: Route) {
        let timeouts = route.timeouts
        self.init(
            hostHeader: route.hostHeader == .upstream ? .upstream : .client,
            requestRules: HeaderRules(route.requestHeaders),
            answerRules: HeaderRules(route.responseHeaders),
            timeouts: ProxyTimeouts(
                connect: .milliseconds(Int64(timeouts.connectMilliseconds)),
                firstByte: .milliseconds(Int64(timeouts.responseMilliseconds)),
                idle: .milliseconds(Int64(timeouts.idleMilliseconds))),
            retries: RetryPolicy(maximumTries: route.retries + 1), allowedUpgrades: Set(route.upgrades),
            maximumRequestBytes: route.limits.bodyBytes, strippedPrefix: route.strippedPrefix,
            mapsLocations: route.mapsLocations)
    }
}

extension HeaderRules {
    fileprivate init(_ rules: Route.HeaderRules) {
        self.init(remove: rules.remove, set: rules.set.compactMap { Field(name: $0.name, value: $0.value) })
    }
}
