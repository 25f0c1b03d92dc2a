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
        <p>Issuer: <code>\(escaped(identity.issuer))</code></p>
        <p>Keys: <a href="/.well-known/jwks.json">/.well-known/jwks.json</a></p>
        </body>
        </html>

        """
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
    }
}
