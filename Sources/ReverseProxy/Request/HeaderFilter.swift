package import HTTPWire

/// Which fields pass from one hop to the next (RFC 9110, section 7.6.1).
package struct HeaderFilter {
    /// What `Connection` declares to be of this hop.
    private let options: [String]
    private let fields: FieldSection

    package init(_ fields: FieldSection) {
        self.fields = fields
        options = fields.connectionOptions
    }

    /// Whether a field of a client's request goes to the upstream as it is. Framing, `Host`, forwarding and identity
    /// are written anew; what reads like one of those is left out, also from a proxy of ours.
    ///
    /// - Parameter isTrusted: It comes from a proxy of ours.
    func passesInRequest(_ line: FieldLine, isTrusted: Bool) -> Bool {
        switch line.kind {
        case .endToEnd, .authorization, .apiKey, .idempotencyKey, .requestID, .origin, .webSocketProtocol, .rateLimit,
            .date, .location:
            !isNamed(line)
        case .expect, .via: true
        case .forwardedAsTold, .forwardedPrefix: isTrusted
        default: false
        }
    }

    /// Whether a field of an upstream's answer goes to the client as it is. The gateway frames the body anew, and
    /// names the request itself: an upstream's echo would be a second `X-Request-Id`.
    func passesInAnswer(_ line: FieldLine) -> Bool {
        switch line.kind {
        case .connection, .hopByHop, .te, .upgrade, .transferEncoding, .contentLength, .requestID: false
        case .host, .expect, .identity, .via: true
        default: !isNamed(line)
        }
    }

    private func isNamed(_ line: FieldLine) -> Bool {
        for name in options where fields.name(of: line, folds: name) { return true }
        return false
    }

    /// Whether a trailer field may pass. Some servers merge trailers into the header, so nothing that frames, routes
    /// or authenticates may come this way (RFC 9110, section 6.5.1).
    package static func passesInTrailers(_ line: FieldLine, of trailers: FieldSection) -> Bool {
        guard line.kind == .endToEnd || line.kind == .requestID else { return false }
        for name in forbiddenInTrailer where trailers.name(of: line, folds: name) { return false }
        return true
    }

    private static let forbiddenInTrailer = [
        "cache-control", "content-encoding", "content-range", "content-type", "cookie", "max-forwards", "set-cookie",
        "trailer",
    ]
}
