import AsyncHTTPClient
import Logging
import NIOCore
import NIOSSL
import ReverseProxy
import Synchronization
import TollgateCore

/// A route with all that is needed to carry its requests.
final class ActiveRoute: Sendable {
    let route: Route
    let policy: AdmissionPolicy
    let proxy: ProxyRoute

    /// Nil for a route that only answers other proxies.
    let group: UpstreamGroup?

    init(_ route: Route, group: UpstreamGroup?) {
        self.route = route
        self.group = group
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
final class RoutingState: Sendable {
    /// A class, so that handing it out is a retain and not a copy of all its parts.
    final class Snapshot: Sendable {
        let table: RouteTable

        /// By the routes' places in the table.
        let routes: [ActiveRoute]
        fileprivate let health: [HealthChecks]

        fileprivate init(table: RouteTable, routes: [ActiveRoute], health: [HealthChecks]) {
            self.table = table
            self.routes = routes
            self.health = health
        }
    }

    private let eventLoops: [any EventLoop]
    private let tls: TLSConfiguration?
    private let httpClient: HTTPClient
    private let logger: Logger
    private let snapshot = Mutex(Snapshot(table: .empty, routes: [], health: []))

    /// - Parameter tls: For upstreams that use TLS. Nil trusts the system's authorities.
    init(eventLoopGroup: any EventLoopGroup, tls: TLSConfiguration?, httpClient: HTTPClient, logger: Logger) {
        eventLoops = Array(eventLoopGroup.makeIterator())
        self.tls = tls
        self.httpClient = httpClient
        self.logger = logger
    }

    var current: Snapshot { snapshot.withLock(\.self) }

    /// Takes `table` into force.
    ///
    /// - Throws: `NIOSSLError` when the TLS settings are unusable; the old routes stay then.
    func replace(with table: RouteTable) throws {
        let before = current
        var routes: [ActiveRoute] = []
        var health: [HealthChecks] = []
        for route in table.routes {
            let old = before.routes.first { $0.route.hasSameUpstreams(as: route) }
            let group = try old?.group ?? newGroup(for: route)
            routes.append(ActiveRoute(route, group: group))
            guard let group, let check = route.healthCheck else { continue }
            health.append(
                HealthChecks(
                    of: group, upstreams: route.servingUpstreams, check: check, httpClient: httpClient, logger: logger))
        }
        let next = Snapshot(table: table, routes: routes, health: health)
        snapshot.withLock { $0 = next }
        for checks in before.health { checks.cancel() }
        for checks in health { checks.start() }
    }

    /// Ends what runs by itself. Requests in progress end in their own time.
    func shutDown() {
        let last = current
        for checks in last.health { checks.cancel() }
        for route in last.routes { route.group?.shutDown() }
    }

    private func newGroup(for route: Route) throws -> UpstreamGroup? {
        guard !route.upstreams.isEmpty else { return nil }
        let settings = UpstreamGroupSettings(
            upstreams: route.servingUpstreams.map {
                ReverseProxy.Upstream(host: $0.connectHost, port: $0.port, usesTLS: $0.usesTLS, weight: $0.weight)
            }, tls: tls)
        return try UpstreamGroup(settings: settings, eventLoops: eventLoops)
    }
}

extension Route {
    /// Those that take part at all.
    fileprivate var servingUpstreams: [TollgateCore.Upstream] { upstreams.filter { $0.weight > 0 } }

    fileprivate func hasSameUpstreams(as other: Route) -> Bool {
        !upstreams.isEmpty && upstreams == other.upstreams && healthCheck == other.healthCheck && name == other.name
    }
}

extension TollgateCore.Upstream {
    /// Without the brackets of an IPv6 address.
    fileprivate var connectHost: String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host }
}

extension ProxyRoute {
    fileprivate init(_ route: Route) {
        let timeouts = route.timeouts
        self.init(
            hostHeader: route.hostHeader == .upstream ? .upstream : .client,
            requestRules: ReverseProxy.HeaderRules(route.requestHeaders),
            answerRules: ReverseProxy.HeaderRules(route.responseHeaders),
            timeouts: ProxyTimeouts(
                connect: .milliseconds(Int64(timeouts.connectMilliseconds)),
                firstByte: .milliseconds(Int64(timeouts.responseMilliseconds)),
                idle: .milliseconds(Int64(timeouts.idleMilliseconds))),
            retries: RetryPolicy(maximumTries: route.retries + 1), allowedUpgrades: Set(route.upgrades),
            maximumRequestBytes: route.limits.bodyBytes)
    }
}

extension ReverseProxy.HeaderRules {
    fileprivate init(_ rules: TollgateCore.HeaderRules) {
        self.init(remove: rules.remove, set: rules.set.compactMap { Field(name: $0.name, value: $0.value) })
    }
}
