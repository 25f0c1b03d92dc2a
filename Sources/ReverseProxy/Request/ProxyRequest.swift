package import HTTPWire
import NIOCore

/// A client's request as it is handed over to be carried to an upstream. The body follows part by part.
///
/// A class, so that it is handed on without copying its parts.
package final class ProxyRequest: Sendable {
    /// As it was parsed. Nothing in it is trusted.
    package let head: RequestHead

    /// What the upstream is asked for: path and query, checked and with any prefix taken off.
    package let uri: String

    /// The host that the client asked for: valid, perhaps with a port; empty for an HTTP/1.0 request that does not say.
    package let host: String
    package let client: ClientConnection
    package let identity: CallerIdentity

    /// Under which the upstream finds this request in our log: its `X-Request-Id`. Nil leaves the client's field.
    package let requestID: String?

    package let withheld: WithheldFields

    /// What of the client's `Sec-WebSocket-Protocol` is offered to the upstream. Nil leaves the field as it came.
    package let subprotocols: [String]?

    package init(
        head: RequestHead, uri: String, host: String, client: ClientConnection,
        identity: CallerIdentity = CallerIdentity(), requestID: String? = nil, withheld: WithheldFields = [],
        subprotocols: [String]? = nil
    ) {
        self.head = head
        self.uri = uri
        self.host = host
        self.client = client
        self.identity = identity
        self.requestID = requestID
        self.withheld = withheld
        self.subprotocols = subprotocols
    }
}

/// Fields that stay with the gateway: those with a key that opens it.
package struct WithheldFields: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let authorization = WithheldFields(rawValue: 1)
    package static let apiKey = WithheldFields(rawValue: 2)

    /// Whether a field of that kind is among them.
    package func hold(_ kind: FieldKind) -> Bool {
        switch kind {
        case .authorization: contains(Self.authorization)
        case .apiKey: contains(Self.apiKey)
        default: false
        }
    }
}

/// What an upstream is asked, without what differs from upstream to upstream: made once, sent on every try. A class,
/// since a try looks at it many times.
final class UpstreamRequest {
    /// The protocols the client wants to change to, in lower case, as far as the route allows them.
    let upgrades: [String]
    private let request: ProxyRequest
    private let rules: HeaderRules
    private let strippedPrefix: String?
    private let mapsLocations: Bool

    /// - Throws: ``RequestProblem`` when the request must not be carried on.
    init(_ request: ProxyRequest, route: ProxyRoute) throws(RequestProblem) {
        guard request.head.method != "CONNECT" else { throw .badMethod }
        if case .length(let count) = request.head.framing, let limit = route.maximumRequestBytes, count > limit {
            throw .bodyTooLarge(limitBytes: limit)
        }
        self.request = request
        rules = route.requestRules
        strippedPrefix = route.strippedPrefix
        mapsLocations = route.mapsLocations
        // HTTP/1.0 cannot change to another protocol (RFC 9110, section 7.8).
        upgrades =
            request.head.isHTTP10 ? [] : Self.upgrades(request.head.fields, allowed: route.allowedUpgrades)
    }

    var framing: BodyFraming { request.head.framing }
    var isIdempotent: Bool { RetryPolicy.isIdempotent(request.head.method) }
    var isHead: Bool { request.head.method == "HEAD" }
    var expectsContinue: Bool { request.head.expectsContinue }

    /// Only what the route allows may pass. `h2c` above all must not: behind it a client would speak to the upstream
    /// past every check of ours.
    private static func upgrades(_ fields: FieldSection, allowed: Set<String>) -> [String] {
        guard !allowed.isEmpty, fields.contains(.upgrade), fields.connectionLists("upgrade") else { return [] }
        return fields.members(.upgrade).filter(allowed.contains)
    }

    /// The head as it travels.
    ///
    /// - Parameter hostHeader: Nil sends the client's.
    func head(hostHeader: String?) -> ByteBuffer {
        let fields = request.head.fields
        var buffer = ByteBuffer()
        buffer.reserveCapacity(request.head.byteCount + Self.roomForOurs)
        buffer.writeString(request.head.method)
        buffer.writeInteger(UInt8(ascii: " "))
        buffer.writeString(request.uri)
        buffer.writeStaticString(" HTTP/1.1\r\n")
        var writer = FieldWriter(buffer, rules: rules)
        buffer = ByteBuffer()
        writer.ownField("Host", hostHeader ?? request.host)
        let filter = HeaderFilter(fields)
        let (hasRequestID, hasSubprotocols) = (request.requestID != nil, request.subprotocols != nil)
        let (isTrusted, isHTTP10) = (request.client.isTrustedProxy, request.head.isHTTP10)
        writer.pass(fields) { line in
            filter.passesInRequest(line, isTrusted: isTrusted) && !(hasRequestID && line.kind == .requestID)
                && !(hasSubprotocols && line.kind == .webSocketProtocol)
                && !(strippedPrefix != nil && line.kind == .forwardedPrefix) && !request.withheld.hold(line.kind)
                // HTTP/1.0 expects nothing, and would not understand the answer (RFC 9110, section 10.1.1).
                && !(isHTTP10 && line.kind == .expect)
        }
        ForwardedFields.write(
            to: &writer, client: request.client, host: request.host, received: fields, strippedPrefix: strippedPrefix)
        writer.field("Via", Via.entry(isHTTP10: request.head.isHTTP10))
        request.identity.write(to: &writer)
        if let requestID = request.requestID { writer.field("X-Request-Id", requestID) }
        if let offered = request.subprotocols, !offered.isEmpty {
            writer.field("Sec-WebSocket-Protocol", offered.joined(separator: ", "))
        }
        writer.addRules()
        writeFraming(to: &writer)
        var head = writer.buffer
        head.writeLineEnd()
        return head
    }

    /// How places that the upstream tells of are led back. Nil when an answer tells of none, or they are left alone.
    ///
    /// - Parameters:
    ///   - answer: Its fields.
    ///   - upstream: The upstream's own `host:port`.
    ///   - hostHeader: What it was told to be called, other than what the client calls it.
    func locations(in answer: FieldSection, upstream: String, hostHeader: String?) -> LocationMapping? {
        guard mapsLocations, answer.contains(.location) else { return nil }
        let prefix = strippedPrefix ?? ""
        let fields = request.head.fields
        let isTrusted = request.client.isTrustedProxy
        let told = isTrusted ? fields.values(.forwardedHost) : []
        return LocationMapping(
            prefix: prefix, toldPrefix: isTrusted ? ForwardedFields.prefix(fields) + prefix : prefix,
            clientAuthorities: (told + [request.host]).map { $0.lowercased() },
            upstreamAuthorities: [upstream.lowercased()] + (hostHeader.map { [$0.lowercased()] } ?? []))
    }

    private func writeFraming(to writer: inout FieldWriter) {
        switch framing {
        case .none, .untilClose: break
        case .length(let count): writer.ownField("Content-Length", count)
        case .chunked: writer.ownField("Transfer-Encoding", "chunked")
        }
        // Trailers are passed on, so a client that takes them may say so.
        let takesTrailers = request.head.fields.contains(.te) && request.head.fields.members(.te).contains("trailers")
        if takesTrailers { writer.ownField("TE", "trailers") }
        let options = (takesTrailers ? ["TE"] : []) + (upgrades.isEmpty ? [] : ["Upgrade"])
        if !options.isEmpty { writer.ownField("Connection", options.joined(separator: ", ")) }
        if !upgrades.isEmpty { writer.ownField("Upgrade", upgrades.joined(separator: ", ")) }
    }

    /// Bytes of the fields that the proxy adds, roughly.
    private static let roomForOurs = 384
}
