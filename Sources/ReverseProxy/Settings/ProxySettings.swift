package import NIOCore
package import NIOSSL
package import NameResolution

/// One server that requests are carried to. Routes that name the same one share its connections and what is known of
/// its health.
package struct Upstream: Sendable, Hashable {
    /// Name or address.
    package var host: String
    package var port: Int

    /// Whether to speak TLS. The certificate must be for ``serverName``.
    package var usesTLS: Bool

    /// For Server Name Indication and the certificate's check; nil takes ``host``.
    var serverName: String?

    package init(host: String, port: Int, usesTLS: Bool = false, serverName: String? = nil) {
        self.host = host
        self.port = port
        self.usesTLS = usesTLS
        self.serverName = serverName
    }

    /// `host:port`, without a port that goes without saying.
    var hostHeader: String { port == (usesTLS ? 443 : 80) ? host : "\(host):\(port)" }
}

/// An upstream's part in a route.
package struct UpstreamMember: Sendable, Hashable {
    package var upstream: Upstream

    /// Share of the requests, against those of the other members: 1 or more.
    package var weight: Int

    /// How the route finds out whether the upstream is well, beside how it answers. Nil: not at all.
    package var check: UpstreamCheck?

    package init(_ upstream: Upstream, weight: Int = 1, check: UpstreamCheck? = nil) {
        self.upstream = upstream
        self.weight = max(1, weight)
        self.check = check
    }
}

/// A request that a well upstream answers with 2xx or 3xx. Routes with the same check share it.
package struct UpstreamCheck: Sendable, Hashable {
    /// What is asked for with GET: a path, perhaps with a query.
    package var path: String

    /// From the beginning of one check to that of the next.
    package var interval: TimeAmount

    /// From the moment in which it is sent to the head of the answer; a connection has as long once more.
    package var timeout: TimeAmount

    package init(path: String, interval: TimeAmount, timeout: TimeAmount) {
        self.path = path
        self.interval = interval
        self.timeout = timeout
    }
}

/// How long an exchange may take, phase by phase.
package struct ProxyTimeouts: Sendable, Hashable {
    /// Name lookup, TCP and TLS together; also the longest wait for a free connection.
    package var connect: TimeAmount

    /// From the end of the request to the head of the answer.
    package var firstByte: TimeAmount

    /// While anything else is waited for: nothing moves in either direction.
    package var idle: TimeAmount

    /// The whole exchange. Streams that never end are cut here, and come back.
    package var total: TimeAmount

    /// Nothing moves in a connection that changed its protocol.
    package var tunnelIdle: TimeAmount

    package init(
        connect: TimeAmount = .seconds(2), firstByte: TimeAmount = .seconds(30), idle: TimeAmount = .seconds(60),
        total: TimeAmount = .hours(1), tunnelIdle: TimeAmount = .minutes(10)
    ) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
        self.total = total
        self.tunnelIdle = tunnelIdle
    }
}

/// What is done with requests of one route.
package struct ProxyRoute: Sendable {
    /// Whose name the upstream sees in `Host`.
    package enum HostHeader: Sendable, Hashable {
        /// What the client asked for.
        case client
        /// The upstream's own.
        case upstream
        case fixed(String)
    }

    package var hostHeader: HostHeader
    package var requestRules: HeaderRules
    package var answerRules: HeaderRules
    package var timeouts: ProxyTimeouts
    package var retries: RetryPolicy

    /// Protocols a client may change to, in lower case.
    package var allowedUpgrades: Set<String>

    /// Largest body a client may send, in bytes. Nil sets no limit.
    package var maximumRequestBytes: Int?

    /// What is left out of the front of the path, without a slash at its end: the upstream is told. Nil when nothing is.
    package var strippedPrefix: String?

    /// Whether `Location` and `Content-Location` of the upstream's own host or path are led back to the client's.
    package var mapsLocations: Bool

    package init(
        hostHeader: HostHeader = .client, requestRules: HeaderRules = HeaderRules(),
        answerRules: HeaderRules = HeaderRules(), timeouts: ProxyTimeouts = ProxyTimeouts(),
        retries: RetryPolicy = RetryPolicy(), allowedUpgrades: Set<String> = ["websocket"],
        maximumRequestBytes: Int? = nil, strippedPrefix: String? = nil, mapsLocations: Bool = true
    ) {
        self.hostHeader = hostHeader
        self.requestRules = requestRules
        self.answerRules = answerRules
        self.timeouts = timeouts
        self.retries = retries
        self.allowedUpgrades = allowedUpgrades
        self.maximumRequestBytes = maximumRequestBytes
        self.strippedPrefix = strippedPrefix
        self.mapsLocations = mapsLocations
    }
}

/// How all upstreams of a worker are dealt with.
package struct UpstreamSettings: Sendable {
    package var pool: PoolPolicy
    package var health: HealthPolicy
    package var breaker: BreakerPolicy

    /// For upstreams that use TLS. Nil trusts the system's authorities and shows no certificate.
    package var tls: TLSConfiguration?
    var resolver: any NameResolver

    /// File descriptors with this number and above are not for connections to upstreams. Nil: all are.
    package var reservedDescriptors: Int?

    package init(
        pool: PoolPolicy = PoolPolicy(), health: HealthPolicy = HealthPolicy(),
        breaker: BreakerPolicy = BreakerPolicy(), tls: TLSConfiguration? = nil,
        resolver: any NameResolver = SystemNameResolver(), reservedDescriptors: Int? = nil
    ) {
        self.pool = pool
        self.health = health
        self.breaker = breaker
        self.tls = tls
        self.resolver = resolver
        self.reservedDescriptors = reservedDescriptors
    }
}
