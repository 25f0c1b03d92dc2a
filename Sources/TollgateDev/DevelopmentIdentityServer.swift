import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// Serves a ``DevelopmentIdentity``'s keys on 127.0.0.1, where a verifier fetches them as it would from Clerk.
package struct DevelopmentIdentityServer: Service {
    private let application: Application<RouterResponder<BasicRequestContext>>

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - onRunning: Called with the port once connections are accepted.
    package init(
        identity: DevelopmentIdentity, port: Int, logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        let keys = identity.jwksJSON
        let page = Self.page(identity)
        let router = Router()
        router.get("/.well-known/jwks.json") { _, _ in Self.response(keys, type: "application/json") }
        router.get("/") { _, _ in Self.response(page, type: "text/html; charset=utf-8") }
        router.get("/dashboard") { request, _ in Self.frontEnd(payment: request.uri.queryParameters["payment"]) }
        application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in
                if let port = channel.localAddress?.port { await onRunning(port) }
            },
            logger: logger)
    }

    /// Serves until the graceful shutdown.
    package func run() async throws {
        try await application.run()
    }

    /// Where Stripe's pages lead back to while there is no front end.
    private static func frontEnd(payment: Substring?) -> Response {
        let text =
            switch payment {
            case "success": "Paid. The next call of the gateway has the new plan, with the token that was used before."
            case "cancelled": "Not paid. Nothing has changed."
            default: "Back from the portal. What was changed there counts from the next call on."
            }
        return HTMLPage(title: "Your front end's dashboard", body: "<p>\(text)</p>").response()
    }

    private static func response(_ body: String, type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }

    private static func page(_ identity: DevelopmentIdentity) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head><meta charset="utf-8"><title>Development identity provider: not for production</title></head>
        <body>
        <h1>Development identity provider: not for production</h1>
        <p>It stands in for Clerk while <code>tollgate dev</code> runs. Whoever reads its key file can be any user.</p>
        <p>Issuer: <code>\(HTMLPage.escaped(identity.issuer))</code></p>
        <p>Keys: <a href="/.well-known/jwks.json">/.well-known/jwks.json</a></p>
        </body>
        </html>

        """
    }
}
