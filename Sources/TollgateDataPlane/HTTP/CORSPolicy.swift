package import HTTPTypes

/// Which web pages may read the gateway's answers (https://fetch.spec.whatwg.org/#http-cors-protocol).
package struct CORSPolicy: Sendable, Hashable {
    /// Named in answers to any other origin, as front-auth-api did; their browsers then refuse.
    package let frontendOrigin: String?

    package let origins: Set<String>

    /// Origins with one `*`, which stands for letters, digits and hyphens: `https://*.preview.example.com`.
    package let patterns: [String]

    package init(frontendOrigin: String?, origins: [String] = [], patterns: [String] = []) {
        self.frontendOrigin = frontendOrigin
        self.origins = Set(origins)
        self.patterns = patterns
    }

    /// Adds the fields to an answer to a request from `origin`, which has none of them yet.
    package func apply(to headers: inout HTTPFields, origin: String?) {
        let allowed = origin.flatMap { allows($0) ? $0 : nil } ?? frontendOrigin
        if let allowed { headers.append(HTTPField(name: .accessControlAllowOrigin, value: allowed)) }
        for field in Self.constantFields { headers.append(field) }
    }

    func allows(_ origin: String) -> Bool {
        origin == frontendOrigin || origins.contains(origin) || patterns.contains { Self.matches(origin, $0) }
    }

    /// Made once: checking a field's value costs more than sending it.
    private static let constantFields = [
        HTTPField(name: .accessControlAllowMethods, value: "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        HTTPField(
            name: .accessControlAllowHeaders, value: "Content-Type, Authorization, X-API-Key, Idempotency-Key"),
        HTTPField(name: .accessControlMaxAge, value: "86400"),
        HTTPField(
            name: .accessControlExposeHeaders,
            value: "RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
                + "Retry-After, X-Request-Id, Idempotent-Replayed"),
        HTTPField(name: .vary, value: "Origin"),
    ]

    private static func matches(_ origin: String, _ pattern: String) -> Bool {
        guard let star = pattern.firstIndex(of: "*") else { return origin == pattern }
        let (prefix, suffix) = (pattern[..<star], pattern[pattern.index(after: star)...])
        guard origin.utf8.count > prefix.utf8.count + suffix.utf8.count, origin.hasPrefix(prefix),
            origin.hasSuffix(suffix)
        else { return false }
        return origin.dropFirst(prefix.count).dropLast(suffix.count).utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }
}
