import HTTPWire

/// The request that a proxy asks about at `/authorize`, in the words of each of them:
/// - nginx by its configuration: `X-Original-URI`, `X-Original-Method`, `X-Original-Host`; ingress-nginx a whole
///   `X-Original-URL`;
/// - Traefik's ForwardAuth, Caddy's forward_auth and HAProxy by `deploy/guard`: `X-Forwarded-Uri`, `-Method`, `-Host`;
/// - Envoy's ext_authz: its own method and host, and its path behind `/authorize`.
struct OriginalRequest {
    let method: String

    /// Path and query. Nil when the proxy does not say.
    let uri: String?
    let host: String

    /// - Parameters:
    ///   - text: The target of the request to us, beginning with `/authorize`.
    ///   - host: Whom the proxy asked.
    init(_ head: RequestHead, text: String, host: String) {
        var named = NamedFields()
        for line in head.fields.lines {
            switch line.kind {
            case .forwardedHost: named.forwardedHost = head.fields.value(of: line)
            case .forwarded, .endToEnd: named.take(line, of: head.fields)
            default: break
            }
        }
        method = named.originalMethod ?? named.forwardedMethod ?? head.method
        self.host = named.originalHost ?? named.forwardedHost ?? host
        let behind = text.dropFirst("/authorize".count)
        uri = named.originalURI ?? named.forwardedURI ?? (behind.first == "/" ? String(behind) : nil)
    }

    private struct NamedFields {
        var originalURI: String?
        var originalMethod: String?
        var originalHost: String?
        var forwardedURI: String?
        var forwardedMethod: String?
        var forwardedHost: String?

        mutating func take(_ line: FieldLine, of fields: FieldSection) {
            if fields.name(of: line, folds: "x-original-uri") {
                originalURI = fields.value(of: line)
            } else if fields.name(of: line, folds: "x-original-method") {
                originalMethod = fields.value(of: line)
            } else if fields.name(of: line, folds: "x-original-host") {
                originalHost = fields.value(of: line)
            } else if fields.name(of: line, folds: "x-original-url") {
                takeURL(fields.value(of: line))
            } else if fields.name(of: line, folds: "x-forwarded-uri") {
                forwardedURI = fields.value(of: line)
            } else if fields.name(of: line, folds: "x-forwarded-method") {
                forwardedMethod = fields.value(of: line)
            }
        }

        private mutating func takeURL(_ url: String) {
            guard let scheme = url.firstRange(of: "://") else { return originalURI = url }
            let rest = url[scheme.upperBound...]
            let path = rest.firstIndex(of: "/") ?? rest.endIndex
            originalHost = String(rest[..<path])
            originalURI = path == rest.endIndex ? "/" : String(rest[path...])
        }
    }
}
