import Hummingbird
package import Logging
import ServiceLifecycle
package import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The identity provider of `tollgate dev` on 127.0.0.1: a ``DevelopmentIdentity``'s keys, where a verifier fetches them
/// as it would from Clerk; pages to sign in; and what the browser needs of Clerk.
package struct DevelopmentIdentityServer: Service {
    private let application: Application<RouterResponder<BasicRequestContext>>

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - onRunning: Called with the port once connections are accepted.
    package init(
        identity: DevelopmentIdentity, port: Int, time: any TimeSource, logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        let keys = identity.jwksJSON
        let router = Router()
        router.get("/.well-known/jwks.json") { _, _ in Response.json(keys) }
        SignInPages(issuer: identity.issuer).add(to: router)
        ClerkBrowserAPI(identity: identity, time: time).add(to: router)
        application = Application(onLoopback: router, port: port, logger: logger, onRunning: onRunning)
    }

    /// What stands in for Clerk's publishable key of the instance that listens on `port`.
    package static func publishableKey(port: Int) -> String {
        "pk_test_" + Data("127.0.0.1:\(port)$".utf8).base64EncodedString()
    }

    /// Where the dashboard finds what stands in for ClerkJS.
    package static func clerkScriptURL(port: Int) -> String {
        "http://127.0.0.1:\(port)\(ClerkBrowserAPI.scriptPath)"
    }

    /// Serves until the graceful shutdown.
    package func run() async throws {
        try await application.run()
    }
}
