import HTTPTypes
import TollgateDataPlane

/// What a browser may do for a page: load its own files, call its own origin, and nothing else but what is named here.
///
/// https://www.w3.org/TR/CSP3/. There is no `unsafe-inline`: text that got into the page by mistake could not run.
struct ContentSecurityPolicy: Sendable {
    /// Origins beside the page's own whose scripts it runs and whose API these call, such as
    /// `https://clerk.example.com`.
    var trustedOrigins: [String] = []

    /// The fields of a page.
    var headers: HTTPFields {
        let trusted = trustedOrigins.map { " \($0)" }.joined()
        let directives = [
            "default-src 'none'", "script-src 'self'\(trusted)", "style-src 'self'", "img-src 'self' data:",
            "connect-src 'self'\(trusted)", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ]
        var headers: HTTPFields = [:]
        headers[.contentSecurityPolicy] = directives.joined(separator: "; ")
        // For browsers that know no frame-ancestors.
        headers[.xFrameOptions] = "DENY"
        headers[.crossOriginOpenerPolicy] = "same-origin"
        headers[.permissionsPolicy] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return headers
    }

    /// The fields of everything that a page loads.
    static var harmlessHeaders: HTTPFields {
        var headers: HTTPFields = [:]
        headers[.xContentTypeOptions] = "nosniff"
        headers[.referrerPolicy] = "no-referrer"
        headers[.crossOriginResourcePolicy] = "same-origin"
        return headers
    }
}

extension HTTPField.Name {
    fileprivate static let xFrameOptions = constant("X-Frame-Options")
    fileprivate static let crossOriginOpenerPolicy = constant("Cross-Origin-Opener-Policy")
    fileprivate static let crossOriginResourcePolicy = constant("Cross-Origin-Resource-Policy")
    fileprivate static let permissionsPolicy = constant("Permissions-Policy")
    fileprivate static let referrerPolicy = constant("Referrer-Policy")
}
