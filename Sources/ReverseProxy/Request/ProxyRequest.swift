import NIOHTTP1

/// A client's request as it is handed over to be carried to an upstream. The body follows part by part.
package struct ProxyRequest: Sendable {
    /// As it was decoded. Nothing in it is trusted.
    package var head: HTTPRequestHead

    /// The target of `head`, checked; routes are matched on it.
    package var target: RequestTarget
    package var client: ClientConnection
    package var identity: CallerIdentity

    /// Under which the upstream finds this request in our log: its `X-Request-Id`. Nil leaves the client's field.
    package var requestID: String?

    package init(
        head: HTTPRequestHead, target: RequestTarget, client: ClientConnection,
        identity: CallerIdentity = CallerIdentity(), requestID: String? = nil
    ) {
        self.head = head
        self.target = target
        self.client = client
        self.identity = identity
        self.requestID = requestID
    }
}

/// What an upstream is asked, without what differs from upstream to upstream: made once, sent on every try.
struct UpstreamRequest {
    let framing: RequestFraming

    /// The protocols the client wants to change to, in lower case, as far as the route allows them.
    let upgrades: [String]
    private let method: HTTPMethod
    private let uri: String
    private let clientHost: String
    private let headers: HTTPHeaders

    /// - Throws: ``RequestProblem`` when the request must not be carried on.
    init(_ request: ProxyRequest, route: ProxyRoute) throws(RequestProblem) {
        framing = try RequestFraming(request.head.headers)
        if case .length(let count) = framing, let limit = route.maximumRequestBytes, count > limit {
            throw .bodyTooLarge(limitBytes: limit)
        }
        method = request.head.method
        guard method != .CONNECT else { throw .badTarget(.form) }
        uri = request.target.uri(strippingPrefix: route.strippedPrefix)
        clientHost = try Self.host(of: request)
        upgrades = Self.upgrades(request.head.headers, allowed: route.allowedUpgrades)
        headers = Self.headers(request, route: route, host: clientHost, framing: framing, upgrades: upgrades)
    }

    var isIdempotent: Bool { RetryPolicy.isIdempotent(method) }
    var isHead: Bool { method == .HEAD }

    /// - Parameter hostHeader: Nil sends the client's.
    func head(hostHeader: String?) -> HTTPRequestHead {
        var fields = headers
        fields.add(name: "Host", value: hostHeader ?? clientHost)
        return HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: fields)
    }

    private static func host(of request: ProxyRequest) throws(RequestProblem) -> String {
        var hosts = request.head.headers.lazy.filter { FieldKind($0.name) == .host }.map(\.value).makeIterator()
        let first = hosts.next()
        guard hosts.next() == nil else { throw .badHost }
        if let authority = request.target.authority { return authority }
        // HTTP/1.0 knows no Host.
        guard let first else {
            guard request.head.version == .http1_0 else { throw .badHost }
            return ""
        }
        guard HostName.isValid(first) else { throw .badHost }
        return first
    }

    /// Only what the route allows may pass. `h2c` above all must not: behind it a client would speak to the upstream
    /// past every check of ours.
    private static func upgrades(_ headers: HTTPHeaders, allowed: Set<String>) -> [String] {
        guard !allowed.isEmpty, headers.connectionLists("upgrade") else { return [] }
        return headers.lazy.filter { FieldKind($0.name) == .upgrade }.flatMap { listMembers($0.value) }
            .filter(allowed.contains)
    }

    private static func headers(
        _ request: ProxyRequest, route: ProxyRoute, host: String, framing: RequestFraming, upgrades: [String]
    ) -> HTTPHeaders {
        var headers = HeaderFilter.request(request.head.headers)
        ForwardedFields.add(to: &headers, client: request.client, host: host, received: request.head.headers)
        request.identity.add(to: &headers)
        if let requestID = request.requestID { headers.replaceOrAdd(name: "X-Request-Id", value: requestID) }
        route.requestRules.apply(to: &headers)
        switch framing {
        case .noBody: break
        case .length(let count): headers.add(name: "Content-Length", value: String(count))
        case .chunked: headers.add(name: "Transfer-Encoding", value: "chunked")
        }
        // Trailers are passed on, so a client that takes them may say so.
        let takesTrailers = request.head.headers["TE"].contains { listMembers($0).contains("trailers") }
        if takesTrailers { headers.add(name: "TE", value: "trailers") }
        let options = (takesTrailers ? ["TE"] : []) + (upgrades.isEmpty ? [] : ["Upgrade"])
        if !options.isEmpty { headers.add(name: "Connection", value: options.joined(separator: ", ")) }
        if !upgrades.isEmpty { headers.add(name: "Upgrade", value: upgrades.joined(separator: ", ")) }
        return headers
    }
}
