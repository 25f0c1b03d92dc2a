import HTTPTypes
import Hummingbird
import JSONValue
import NIOCore
import TollgateCore

/// What ClerkJS is in a browser, and what it calls: our own script under Clerk's path, and three calls of our own that
/// it makes. Pages of this machine may call them, with the cookie.
struct ClerkBrowserAPI: Sendable {
    /// As short as Clerk's.
    private static let tokenLifetimeSeconds = 60

    static let scriptPath = "/npm/@clerk/clerk-js@5/dist/clerk.headless.browser.js"

    let identity: DevelopmentIdentity
    let time: any TimeSource

    func add(to router: Router<BasicRequestContext>) {
        router.get(RouterPath(Self.scriptPath)) { _, _ in script }
        router.get("/v1/client") { request, _ in
            answer(to: request, ["user": user(request)?.json ?? .null])
        }
        router.post("/v1/client/token") { request, _ in answer(to: request, try token(for: request)) }
        router.post("/v1/client/sign-out") { request, _ in
            var response = answer(to: request, [:])
            response.headers[.setCookie] = SignedInUser.noCookie
            return response
        }
    }

    private var script: Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/javascript; charset=utf-8", .cacheControl: "no-cache",
                .accessControlAllowOrigin: "*",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.clerk_stand_in_js)))
    }

    private func user(_ request: Request) -> SignedInUser? {
        SignedInUser(cookies: request.headers[.cookie])
    }

    private func token(for request: Request) throws -> JSON {
        guard let user = user(request) else { return ["jwt": nil, "expiresInSeconds": 0] }
        let token = try identity.token(
            user: user.userID.value, plan: user.plan, now: time.now(),
            lifetimeSeconds: Self.tokenLifetimeSeconds, authorizedParty: request.headers[.origin])
        return ["jwt": .string(token), "expiresInSeconds": .integer(Self.tokenLifetimeSeconds)]
    }

    private func answer(to request: Request, _ json: JSON) -> Response {
        var headers: HTTPFields = [.cacheControl: "no-store", .vary: "Origin"]
        if let origin = request.headers[.origin], Loopback.page(origin) != nil {
            headers[.accessControlAllowOrigin] = origin
            headers[.accessControlAllowCredentials] = "true"
        }
        return .json(json.text, headers: headers)
    }
}
