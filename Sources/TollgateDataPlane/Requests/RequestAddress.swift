import HTTPTypes
package import HTTPWire
import TollgateCore

/// What a request is for, checked: the gateway decides by it, and no upstream may read it otherwise.
struct RequestAddress {
    let target: RequestTarget

    /// As it is passed on, perhaps with a port. Empty for an HTTP/1.0 request that does not say.
    let host: String

    /// For the routes. Nil when there is none.
    let requestHost: RequestHost?

    /// Host, path and query, the same through whichever port the request came.
    var text: String { (requestHost?.name ?? "") + target.text }

    /// - Throws: 400, with what is wrong.
    init(_ head: RequestHead) throws(APIError) {
        let (authority, text) = Self.split(head.target)
        let stated: String?
        do throws(MessageProblem) {
            stated = try head.host()
        } catch {
            var refusal = APIError.badRequest("The request is not valid HTTP/1.1: \(error.rawValue).")
            // A client that sends no valid Host may not frame its body rightly either.
            refusal.headers[.connection] = "close"
            throw refusal
        }
        // A target with a scheme names a host (RFC 9110, section 4.2.1).
        if authority?.isEmpty == true { throw .badRequest("The host is not valid.") }
        // An absolute target takes the place of Host (RFC 9112, section 3.2.2).
        try self.init(text: text, host: authority ?? stated ?? "")
    }

    /// - Parameter text: Path and query, perhaps odd: what the routes say of it counts.
    init(text: String, host: String) throws(APIError) {
        do throws(RequestTarget.Problem) {
            target = try RequestTarget(tolerant: text)
        } catch {
            throw .badPath(error)
        }
        self.host = host
        requestHost = RequestHost(host)
        if !host.isEmpty, requestHost == nil { throw .badRequest("The host is not valid.") }
    }

    /// The route that the request is for.
    ///
    /// - Throws: 400 for an odd path that no route takes.
    func match(in table: RouteTable, method: String) throws(APIError) -> RouteTable.Match {
        do throws(RequestTarget.Problem) {
            return try table.match(host: requestHost, target: target, method: method)
        } catch {
            throw .badPath(error)
        }
    }

    /// The authority of a target in absolute form, and the rest; the text as it is in any other form.
    static func split(_ text: String) -> (authority: String?, rest: String) {
        guard text.utf8.first != UInt8(ascii: "/") else { return (nil, text) }
        for scheme in ["http://", "https://"] where text.prefix(scheme.count).lowercased() == scheme {
            let rest = text.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            let path = rest[end...]
            return (String(rest[..<end]), path.first == "/" ? String(path) : "/" + path)
        }
        return (nil, text)
    }
}

extension APIError {
    static func badPath(_ problem: RequestTarget.Problem) -> APIError { .badRequest("The path \(problem.rawValue).") }
}

/// The request that a proxy asks about at `/authorize`, in each proxy's own fields:
/// - nginx by its configuration: `X-Original-URI`, `X-Original-Method`, `X-Original-Host`; ingress-nginx a whole
///   `X-Original-URL`;
/// - Traefik's ForwardAuth, Caddy's forward_auth and HAProxy by `deploy/guard`: `X-Forwarded-Uri`, `-Method`, `-Host`;
/// - Envoy's ext_authz: its own method and host, and its path behind `/authorize`.
///
/// A client may send these fields as well, and a proxy that has other fields passes them on. So none of them goes before
/// another: two values for one thing are equal, or the request is refused.
package struct OriginalRequest {
    package let method: String

    /// Whether the proxy tells the method. If not, ``method`` is that of its question.
    package let tellsMethod: Bool

    /// Path and query. Nil when the proxy does not say.
    package let uri: String?
    package let host: String

    /// - Parameters:
    ///   - text: The target of the request to us, beginning with `/authorize`.
    ///   - host: Whom the proxy asked.
    /// - Throws: 400 when there are two different values for one thing, or when a field reads like one of ours to those
    ///   who cannot tell separators apart: the API that the proxy passes it on to may be one of them.
    package init(_ head: RequestHead, text: String, host: String) throws(APIError) {
        if let line = head.fields.lines.first(where: { $0.kind == .misspelt }) {
            throw .misspelt(head.fields.name(of: line))
        }
        var original = OriginalFields(head.fields)
        let behind = text.utf8.dropFirst("/authorize".utf8.count)
        if behind.first == UInt8(ascii: "/") {
            original.uri.take(String(Substring(behind)))
            original.method.take(head.method)
            original.host.take(host.lowercased())
        }
        original.takeForwardedHost()
        if original.method.contradictsItself { throw .contradictory("method") }
        if original.uri.contradictsItself { throw .contradictory("path") }
        if original.host.contradictsItself || original.forwardedHost.contradictsItself { throw .contradictory("host") }
        if let told = original.method.text, !HTTPToken.isValid(told) {
            throw .badRequest("The method of the original request is not valid. The proxy must send one.")
        }
        method = original.method.text ?? head.method
        tellsMethod = original.method.text != nil
        uri = original.uri.text
        self.host = original.host.text ?? host
    }

    /// One value, from all fields that may tell it.
    private struct ConsistentValue {
        private(set) var text: String?
        private(set) var contradictsItself = false

        mutating func take(_ text: String) {
            if let known = self.text, known != text { contradictsItself = true }
            self.text = text
        }
    }

    /// What the fields of all proxies say.
    private struct OriginalFields {
        var uri = ConsistentValue()
        var method = ConsistentValue()
        var host = ConsistentValue()
        private(set) var forwardedHost = ConsistentValue()
        private var isInForwardedFields = false

        init(_ fields: FieldSection) {
            for line in fields.lines {
                switch line.kind {
                case .forwardedHost: forwardedHost.take(fields.value(of: line).lowercased())
                case .forwarded: take(line, of: fields)
                default: break
                }
            }
        }

        private mutating func take(_ line: FieldLine, of fields: FieldSection) {
            if fields.name(of: line, is: "x-original-uri") {
                uri.take(fields.value(of: line))
            } else if fields.name(of: line, is: "x-original-method") {
                method.take(fields.value(of: line))
            } else if fields.name(of: line, is: "x-original-host") {
                host.take(fields.value(of: line).lowercased())
            } else if fields.name(of: line, is: "x-original-url") {
                take(url: fields.value(of: line))
            } else if fields.name(of: line, is: "x-forwarded-uri") {
                isInForwardedFields = true
                uri.take(fields.value(of: line))
            } else if fields.name(of: line, is: "x-forwarded-method") {
                isInForwardedFields = true
                method.take(fields.value(of: line))
            }
        }

        /// A whole URL, or only a path: what looks like a scheme in the middle of one is not a scheme.
        private mutating func take(url: String) {
            let (authority, path) = RequestAddress.split(url)
            if let authority { host.take(authority.lowercased()) }
            uri.take(path)
        }

        /// Every proxy sends `X-Forwarded-Host`, also one before the one that asks: it counts beside the other fields
        /// of its kind, and where no other field tells the host.
        mutating func takeForwardedHost() {
            guard let forwardedHost = forwardedHost.text, isInForwardedFields || host.text == nil else { return }
            host.take(forwardedHost)
        }
    }
}

extension APIError {
    fileprivate static func misspelt(_ name: String) -> APIError {
        .badRequest(
            "The field \(name) reads like another one to servers that cannot tell separators apart. Let the proxy "
                + "remove fields whose names have other characters than letters, digits and hyphens.")
    }

    fileprivate static func contradictory(_ name: String) -> APIError {
        .badRequest(
            "The proxy sends two different values for the \(name) of the original request. Configure it to remove the "
                + "X-Original-* and X-Forwarded-* fields that it does not set.")
    }
}
