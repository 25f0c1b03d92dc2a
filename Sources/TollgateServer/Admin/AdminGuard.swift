import HTTPTypes
import Hummingbird
import TollgateCore
import TollgateDataPlane

/// Keeps other web pages from reading what the admin port tells. Who reaches the port may read it, and a browser
/// beside it reaches it for any page that its user opens: by the port's address, or by a name of the page's own that
/// suddenly leads there (DNS rebinding). What monitoring asks for is told to every client.
struct AdminGuard: RouterMiddleware {
    typealias Context = AdminRequestContext

    /// Paths that say nothing of any user.
    static let openPaths: Set = ["/livez", "/readyz", "/metrics"]

    /// `TOLLGATE_ADMIN_HOST`.
    let configuredHost: String

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        if !Self.openPaths.contains(request.uri.path), let refusal = refusal(of: request) { throw refusal }
        return try await next(request, context)
    }

    private func refusal(of request: Request) -> APIError? {
        if !isAllowed(host: request.head.authority ?? "") { return .hostNotAllowed }
        return isForeign(request) || changesFromElsewhere(request) ? .crossSiteRequest : nil
    }

    /// Whether no public DNS can lead to this name: an address, a name within the network, or the operator's own.
    func isAllowed(host text: String) -> Bool {
        guard let host = RequestHost(text) else { return false }
        return host.isAddress || !host.name.contains(".") || host.name == RequestHost(configuredHost)?.name
    }

    /// A page of another origin asks for a change. Browsers tell the origin of each, also where they tell nothing else, as of a
    /// page that leads to an address without TLS; a browser that knows the password would send it along.
    private func changesFromElsewhere(_ request: Request) -> Bool {
        guard request.method != .get, request.method != .head, let origin = request.headers[.origin] else {
            return false
        }
        let authority = request.head.authority ?? ""
        return origin != "http://\(authority)" && origin != "https://\(authority)"
    }

    /// A page of another site asks. That a user follows a link from there is something else, and changes nothing.
    /// https://www.w3.org/TR/fetch-metadata/
    private func isForeign(_ request: Request) -> Bool {
        guard request.headers[.secFetchSite] == "cross-site" else { return false }
        guard request.method == .get || request.method == .head else { return true }
        return request.headers[.secFetchMode] != "navigate" || request.headers[.secFetchDest] != "document"
    }
}

extension APIError {
    fileprivate static let hostNotAllowed = APIError(
        .forbidden, error: "Forbidden", code: "host-not-allowed",
        message: "The admin port answers to an IP address, to localhost, to names without a dot and to "
            + "TOLLGATE_ADMIN_HOST. Ask by one of these.")

    fileprivate static let crossSiteRequest = APIError(
        .forbidden, error: "Forbidden", code: "cross-site-request",
        message: "Another web page may not read from the admin port. Open /overview itself.")
}

extension HTTPField.Name {
    fileprivate static let secFetchSite = constant("Sec-Fetch-Site")
    fileprivate static let secFetchMode = constant("Sec-Fetch-Mode")
    fileprivate static let secFetchDest = constant("Sec-Fetch-Dest")
}
