import HTTPTypes

/// The endpoints whose whole work is admission, so that the data plane can answer them.
enum MeteredEndpoint: Sendable {
    /// `POST /verify-auth`, for the front end.
    case verifyAuth

    /// `/authorize`, for proxies that ask whether a request may pass. Envoy appends the request's own path.
    case authorize

    /// Nil for requests to anything else, and for those with a body or a wish to send one.
    init?(_ head: HTTPRequest) {
        guard head.headerFields[.transferEncoding] == nil, (head.headerFields[.contentLength] ?? "0") == "0",
            head.headerFields[.expect] == nil, let path = head.path
        else { return nil }
        if path == "/verify-auth", head.method == .post {
            self = .verifyAuth
        } else if Self.isAuthorize(path), head.method != .head, head.method != .options {
            self = .authorize
        } else {
            return nil
        }
    }

    /// `/authorize`, or anything below it.
    private static func isAuthorize(_ path: String) -> Bool {
        guard path.hasPrefix("/authorize") else { return false }
        let rest = path.utf8.dropFirst("/authorize".utf8.count).first
        return rest == nil || rest == UInt8(ascii: "/") || rest == UInt8(ascii: "?")
    }

    /// For the log: a request's own path may hold what is nobody's business.
    var name: String {
        switch self {
        case .verifyAuth: "/verify-auth"
        case .authorize: "/authorize"
        }
    }

    /// Only browsers ask for CORS.
    var hasCORS: Bool { self == .verifyAuth }

    /// The answer to a request that was admitted.
    func answer(_ admitted: Gatekeeper.Admitted) -> Answer {
        switch self {
        case .verifyAuth: Answer(verified: admitted)
        case .authorize: Answer(authorized: admitted)
        }
    }
}
