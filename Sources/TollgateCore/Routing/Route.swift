/// One rule of the gateway: which requests it is about, and what is done with them.
///
/// A route without ``upstreams`` only answers other proxies that ask whether a request may pass.
package struct Route: Sendable, Hashable {
    /// Stands in metrics, logs and Redis keys: 1 to 64 lower-case letters, digits, `_` and `-`.
    package var name: String

    /// Empty: any host.
    package var hosts: [HostPattern]
    package var path: PathPattern

    /// In capitals as they travel. Empty: any. `GET` takes `HEAD` as well.
    package var methods: [String]
    package var upstreams: [Upstream]
    package var authentication: Authentication

    /// All of them must be the caller's.
    package var requiredScopes: [KeyScope]

    /// Calls of the quota that one request costs. 0: free.
    package var cost: Int

    /// Requests of one user in a clock minute on this route, beside the plan's own limit. Nil: only that one.
    package var ratePerMinute: Int?
    package var charge: Charge
    package var idempotency: Idempotency
    package var onRedisDown: OutagePolicy
    package var timeouts: Timeouts

    /// Further tries of a request that bears repeating, before the first byte of an answer.
    package var retries: Int
    package var limits: Limits
    package var requestHeaders: HeaderRules
    package var responseHeaders: HeaderRules

    /// Whether paths with `%2F` behind the prefix pass.
    package var encodedSlashes: OddPath

    /// Whether paths with `//` behind the prefix pass.
    package var doubleSlashes: OddPath

    /// The upstream sees the path without the prefix that matched, and at least `/`.
    package var stripsPrefix: Bool

    /// What the upstream says of places of its own is led back to where a client finds them.
    package var mapsLocations: Bool
    package var hostHeader: HostHeader

    /// Nil: upstreams are only known by how they answer the requests themselves.
    package var healthCheck: HealthCheck?

    /// Protocols that a client may change to, in lower case.
    package var upgrades: [String]

    /// - Parameter cost: Nil: 1, or 0 on a route that knows no caller.
    package init(
        name: String, hosts: [HostPattern] = [], path: PathPattern, methods: [String] = [],
        upstreams: [Upstream] = [], authentication: Authentication = .any, requiredScopes: [KeyScope] = [],
        cost: Int? = nil, ratePerMinute: Int? = nil, charge: Charge = .admitted, idempotency: Idempotency = .retry,
        onRedisDown: OutagePolicy = .closed, timeouts: Timeouts = Timeouts(), retries: Int = 1,
        limits: Limits = Limits(),
        requestHeaders: HeaderRules = HeaderRules(), responseHeaders: HeaderRules = HeaderRules(),
        encodedSlashes: OddPath = .refuse, doubleSlashes: OddPath = .refuse, stripsPrefix: Bool = false,
        mapsLocations: Bool = true, hostHeader: HostHeader = .client, healthCheck: HealthCheck? = nil,
        upgrades: [String] = ["websocket"]
    ) {
        self.name = name
        self.hosts = hosts
        self.path = path
        self.methods = methods
        self.upstreams = upstreams
        self.authentication = authentication
        self.requiredScopes = requiredScopes
        self.cost = cost ?? (authentication == .none ? 0 : 1)
        self.ratePerMinute = ratePerMinute
        self.charge = charge
        self.idempotency = idempotency
        self.onRedisDown = onRedisDown
        self.timeouts = timeouts
        self.retries = retries
        self.limits = limits
        self.requestHeaders = requestHeaders
        self.responseHeaders = responseHeaders
        self.encodedSlashes = encodedSlashes
        self.doubleSlashes = doubleSlashes
        self.stripsPrefix = stripsPrefix
        self.mapsLocations = mapsLocations
        self.hostHeader = hostHeader
        self.healthCheck = healthCheck
        self.upgrades = upgrades
    }
}

extension Route {
    /// Which credentials open the route.
    package enum Authentication: String, Sendable, Hashable, CaseIterable {
        case jwt, key
        /// A session token or a key.
        case any
        /// Every request passes, and none is counted.
        case none
    }

    /// When the cost is owed.
    package enum Charge: String, Sendable, Hashable, CaseIterable {
        case admitted
        /// Given back when the upstream fails: a 5xx, a timeout, an abort.
        case success
    }

    /// What an `Idempotency-Key` does.
    package enum Idempotency: String, Sendable, Hashable, CaseIterable {
        /// A repeat of what failed is not charged again.
        case retry
        /// And one of what has finished gets the same answer, without asking the upstream.
        case replay
    }

    /// What happens to requests while Redis cannot be asked.
    package enum OutagePolicy: String, Sendable, Hashable, CaseIterable {
        /// 503.
        case closed
        /// They pass, within the worker's own bounds.
        case open
    }

    /// What becomes of a path that servers do not all read alike.
    package enum OddPath: String, Sendable, Hashable, CaseIterable {
        /// 400.
        case refuse
        /// The upstream gets it as it was sent.
        case pass
    }

    /// Whether the route lets such a target pass, if it is the route's by every reading.
    func takes(odd target: RequestTarget) -> Bool {
        guard !target.hasEncodedSlash || encodedSlashes == .pass, !target.hasDoubleSlash || doubleSlashes == .pass
        else {
            return false
        }
        guard stripsPrefix, let prefix = path.strippablePrefix else { return true }
        // What the upstream is asked for may not begin with an empty segment either.
        return (try? RequestTarget(tolerant: String(target.stripping(prefix)))) != nil
    }

    /// Whose name the upstream sees in the Host field.
    package enum HostHeader: String, Sendable, Hashable, CaseIterable {
        /// The one that the client asked for.
        case client
        /// Its own.
        case upstream
    }

    /// How each upstream is asked whether it is well: a GET that must answer 2xx or 3xx.
    package struct HealthCheck: Sendable, Hashable {
        /// With a query, if need be.
        package var path: String

        /// From the beginning of one check to that of the next.
        package var intervalMilliseconds: Int

        /// For the whole check.
        package var timeoutMilliseconds: Int

        package init(path: String, intervalMilliseconds: Int = 5_000, timeoutMilliseconds: Int = 1_000) {
            self.path = path
            self.intervalMilliseconds = intervalMilliseconds
            self.timeoutMilliseconds = timeoutMilliseconds
        }
    }

    /// How long the upstream may take.
    package struct Timeouts: Sendable, Hashable {
        /// For a connection, with TLS.
        package var connectMilliseconds: Int

        /// From the end of the request to the head of the answer.
        package var responseMilliseconds: Int

        /// While nothing moves in either direction.
        package var idleMilliseconds: Int

        package init(
            connectMilliseconds: Int = 2_000, responseMilliseconds: Int = 30_000, idleMilliseconds: Int = 60_000
        ) {
            self.connectMilliseconds = connectMilliseconds
            self.responseMilliseconds = responseMilliseconds
            self.idleMilliseconds = idleMilliseconds
        }
    }

    /// How large a request may be, and how slow.
    package struct Limits: Sendable, Hashable {
        /// Request line and fields. Nil: the worker's limit, which holds in any case.
        package var headBytes: Int?
        package var bodyBytes: Int

        /// Bytes of the body that a client has to send in a second, while it is waited for. 0: as it likes.
        package var bodyRate: Int

        package init(headBytes: Int? = nil, bodyBytes: Int = 1 << 30, bodyRate: Int = 240) {
            self.headBytes = headBytes
            self.bodyBytes = bodyBytes
            self.bodyRate = bodyRate
        }
    }
}

extension Route {
    /// Where a route's requests go.
    package struct Upstream: Sendable, Hashable {
        package var usesTLS: Bool

        /// Lower case; an IPv6 address stands in brackets.
        package var host: String
        package var port: Int

        /// The share of the requests, relative to the other upstreams. 0: none.
        package var weight: Int

        package init(usesTLS: Bool = false, host: String, port: Int, weight: Int = 1) {
            self.usesTLS = usesTLS
            self.host = host
            self.port = port
            self.weight = weight
        }

        /// `scheme://host:port`: what two upstreams may not have in common.
        package var origin: String { (usesTLS ? "https://" : "http://") + host + ":" + String(port) }
    }

    /// Fields that are set, or else removed, on the way through.
    ///
    /// Values may be credentials of the upstream, so no description shows them.
    package struct HeaderRules: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
        CustomReflectable
    {
        package struct Field: Sendable, Hashable {
            package var name: String
            package var value: String

            package init(_ name: String, _ value: String) {
                self.name = name
                self.value = value
            }
        }

        /// Replace every field of that name.
        package var set: [Field]

        /// Names.
        package var remove: [String]

        package init(set: [Field] = [], remove: [String] = []) {
            self.set = set
            self.remove = remove
        }

        package var isEmpty: Bool { self.set.isEmpty && remove.isEmpty }

        /// Names only.
        package var description: String {
            (self.set.map { "set \($0.name)" } + remove.map { "remove \($0)" }).joined(separator: ", ")
        }

        package var debugDescription: String { description }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }
}
