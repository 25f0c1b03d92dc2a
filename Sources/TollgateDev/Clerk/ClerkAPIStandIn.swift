import HTTPTypes
import Hummingbird
package import JSONValue
package import Logging
import NIOCore
import PercentCoding
import ServiceLifecycle
import Synchronization
package import TollgateCore

/// Stands in for Clerk's Backend API on 127.0.0.1: users, their metadata and its limits, and the keys of a
/// ``DevelopmentIdentity``. All of it is forgotten when the process ends.
package final class ClerkAPIStandIn: Service {
    /// How the stand-in is set up.
    package struct Configuration: Sendable {
        /// 0 takes a free one.
        package var port = 0

        /// The only key that is let in. Nil takes any that starts with `sk_test_`.
        package var secretKey: String?

        /// Whether only users that were added are known. Otherwise every user that is asked for exists.
        package var isStrict = false

        package init() {}
    }

    /// An update of metadata that was carried out.
    package struct Update: Sendable, Hashable {
        /// Whose.
        package let user: String

        /// As it was sent.
        package let body: JSON

        /// When.
        package let time: UnixTime
    }

    /// More than the largest metadata, so that what is too large is told so.
    private static let maximumBodyBytes = 65_536

    /// What the API answers wrongly.
    package let faults = FaultPlan()

    private let configuration: Configuration
    private let identity: DevelopmentIdentity
    private let time: any TimeSource
    private let logger: Logger
    private let directory: Mutex<ClerkDirectory>
    private let onRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - identity: Whose keys are served, and who signs ``token(user:now:authorizedParty:)``.
    ///   - time: Dates the users' changes, and counts their updates.
    ///   - onRunning: Called with the port once connections are accepted.
    package init(
        configuration: Configuration = Configuration(), identity: DevelopmentIdentity, time: any TimeSource,
        logger: Logger, onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.identity = identity
        self.time = time
        self.logger = logger
        self.onRunning = onRunning
        directory = Mutex(ClerkDirectory(isStrict: configuration.isStrict))
    }

    /// Serves until the graceful shutdown.
    package func run() async throws {
        let router = Router()
        router.add(middleware: ClerkGate(secretKey: configuration.secretKey, faults: faults))
        addRoutes(to: router)
        try await Application(onLoopback: router, port: configuration.port, logger: logger, onRunning: onRunning).run()
    }

    private func addRoutes(to router: Router<BasicRequestContext>) {
        let keys = identity.jwksJSON
        router.get("/v1/jwks") { _, _ in Response.json(keys) }
        router.get("/v1/users/:id") { [self] _, context in
            let (id, now) = (try Self.userID(context), time.now())
            return Response.json(try directory.withLock { try $0.user(id, now: now) }.text)
        }
        router.patch("/v1/users/:id/metadata") { [self] request, context in
            let (id, now) = (try Self.userID(context), time.now())
            let bytes = try await request.body.collect(upTo: Self.maximumBodyBytes)
            guard let body = JSON(parsing: bytes.readableBytesView) else {
                throw ClerkAPIError.invalidBody
            }
            return Response.json(try directory.withLock { try $0.update(id, with: body, now: now) }.text)
        }
    }

    /// Ids may hold characters that a path must not, such as `auth0|abc`.
    private static func userID(_ context: BasicRequestContext) throws -> String {
        let segment = try context.parameters.require("id")
        return PercentEncoding.decoded(segment) ?? segment
    }

    /// Makes a user known, or starts one afresh.
    package func addUser(id: String, publicMetadata: [String: JSON] = [:]) {
        let now = time.now()
        directory.withLock { $0.add(id, publicMetadata: publicMetadata, now: now) }
    }

    /// Forgets a user, who is answered with 404 from now on.
    package func deleteUser(id: String) { directory.withLock { $0.delete(id) } }

    /// A user's public metadata; nil for a user that was never seen.
    package func publicMetadata(of user: String) -> [String: JSON]? {
        directory.withLock { $0.users[user]?["public_metadata"].membersByName }
    }

    /// The updates of metadata that were carried out, in order.
    package var updates: [Update] { directory.withLock { $0.updates } }

    /// A session token as the user would get it now: with the plan that the public metadata names, as an instance's
    /// custom claims take it from there.
    package func token(user: String, now: UnixTime, authorizedParty: String? = nil) throws -> String {
        try identity.token(
            user: user, plan: publicMetadata(of: user)?["plan"]?.string, now: now, authorizedParty: authorizedParty)
    }
}
