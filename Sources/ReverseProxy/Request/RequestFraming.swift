import NIOHTTP1

/// How the body of a request is delimited. Taken once from the client's fields and written anew for the upstream, so
/// that both see the same end (request smuggling, RFC 9112 section 11.2).
package enum RequestFraming: Sendable, Hashable {
    case noBody

    /// `Content-Length`, in bytes.
    case length(Int)
    case chunked

    /// - Throws: ``RequestProblem/ambiguousFraming`` when the fields could be read in two ways.
    init(_ headers: HTTPHeaders) throws(RequestProblem) {
        var length: String?
        var coding: String?
        for (name, value) in headers {
            switch FieldKind(name) {
            case .contentLength:
                guard length == nil else { throw .ambiguousFraming }
                length = value
            case .transferEncoding:
                guard coding == nil else { throw .ambiguousFraming }
                coding = value
            default: break
            }
        }
        switch (length, coding) {
        case (nil, nil): self = .noBody
        case (let digits?, nil):
            // Only digits: `Int` would take a sign too.
            guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let count = Int(digits)
            else { throw .ambiguousFraming }
            self = .length(count)
        case (nil, let value?):
            guard value.lowercased() == "chunked" else { throw .ambiguousFraming }
            self = .chunked
        case (_?, _?): throw .ambiguousFraming
        }
    }
}

/// Why a request is not carried to any upstream: the fault is the client's.
package enum RequestProblem: Error, Sendable, Hashable {
    /// The request target is none that a proxy of origin servers takes. Carries what is wrong with it.
    case badTarget(RequestTarget.Problem)

    /// `Content-Length` and `Transfer-Encoding` do not say in one way where the body ends.
    case ambiguousFraming

    /// `Host` is missing, sent twice, or not a host.
    case badHost

    /// The body is larger than the route allows, in bytes.
    case bodyTooLarge(limitBytes: Int)

    /// The body has more or fewer bytes than the head has announced.
    case bodyLengthMismatch
}
