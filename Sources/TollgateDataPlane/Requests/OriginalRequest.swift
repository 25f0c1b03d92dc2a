import HTTPWire
import TollgateCore

/// The request that a proxy asks about at `/authorize`, in the words of each of them:
/// - nginx by its configuration: `X-Original-URI`, `X-Original-Method`, `X-Original-Host`; ingress-nginx a whole
///   `X-Original-URL`;
/// - Traefik's ForwardAuth, Caddy's forward_auth and HAProxy by `deploy/guard`: `X-Forwarded-Uri`, `-Method`, `-Host`;
/// - Envoy's ext_authz: its own method and host, and its path behind `/authorize`.
///
/// A client may send these fields as well, and a proxy with other words passes them on. So none of them goes before
/// another: what is told twice is told alike, or the request is refused.
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
    /// - Throws: 400 when something is told twice, and not alike, or when a field reads like one of ours to those who
    ///   cannot tell separators apart: the API that the proxy passes it on to may be one of them.
    package init(_ head: RequestHead, text: String, host: String) throws(APIError) {
        if let line = head.fields.lines.first(where: { $0.kind == .misspelt }) {
            throw .misspelt(head.fields.name(of: line))
        }
        var told = Told(head.fields)
        let behind = text.dropFirst("/authorize".count)
        if behind.first == "/" {
            told.uri.take(String(behind))
            told.method.take(head.method)
            told.host.take(host.lowercased())
        }
        told.takeForwardedHost()
        let tellings = [
            ("method", told.method), ("path", told.uri), ("host", told.host), ("host", told.forwardedHost),
        ]
        for (name, telling) in tellings where telling.contradictsItself { throw .toldTwice(name) }
        method = told.method.text ?? head.method
        guard HTTPToken.isValid(method) else {
            throw .badRequest("The method of the original request is none. Let the proxy tell one.")
        }
        tellsMethod = told.method.text != nil
        uri = told.uri.text
        self.host = told.host.text ?? host
    }

    /// One value, from all fields that may tell it.
    private struct Telling {
        private(set) var text: String?
        private(set) var contradictsItself = false

        mutating func take(_ text: String) {
            if let known = self.text, known != text { contradictsItself = true }
            self.text = text
        }
    }

    private struct Told {
        var uri = Telling()
        var method = Telling()
        var host = Telling()
        private(set) var forwardedHost = Telling()
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

        /// A whole URL, or only a path: what looks like a scheme in the middle of one is none.
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

    fileprivate static func toldTwice(_ name: String) -> APIError {
        .badRequest(
            "The proxy tells the \(name) of the original request twice, and not alike. Let it remove those of the "
                + "X-Original-* and X-Forwarded-* fields that it does not set itself.")
    }
}
