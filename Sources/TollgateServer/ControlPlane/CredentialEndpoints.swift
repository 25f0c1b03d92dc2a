import HTTPTypes
import Hummingbird
import JSONValue
import Libcrypto
import Logging
import TollgateCore
import TollgateDataPlane

/// `/generate-credentials` and `/get-credentials`: the name and the publishable key of a user's platform.
///
/// Making and showing them counts one call, as in front-auth-api. Rotating and revoking costs none: an exhausted quota
/// does not keep a user from ending a key, nor does a full minute.
struct CredentialEndpoints: Sendable {
    let gatekeeper: Gatekeeper
    let credentials: any CredentialStore
    let time: any TimeSource
    let bodyLimitBytes: Int

    /// Told who rotated and revoked a key.
    let logger: Logger

    private static let scopes: [KeyScope] = [.credentials]

    var endpoints: [EndpointTable.Endpoint] {
        [
            .init(method: .post, path: "/generate-credentials", handler: generate),
            .init(method: .get, path: "/get-credentials", handler: get),
            .init(method: .post, path: "/generate-credentials/rotate", handler: rotate),
            .init(method: .post, path: "/generate-credentials/revoke", handler: revoke),
        ]
    }

    /// The same pair whenever a user asks, on whichever worker.
    @Sendable private func generate(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        _ = try await request.body(upTo: bodyLimitBytes)
        return try await gatekeeper.serve(
            request.headers, .endpoint("generate-credentials", scopes: Self.scopes), from: context.network
        ) { admitted in
            let (user, now) = (admitted.principal.userID, time.now())
            switch try await credentials.credentials(for: user, candidate: try Self.candidate(), at: now) {
            case .tooOften(let limit): throw APIError.tooManyKeyChanges(limit, at: now)
            case .kept(let kept): return Self.response(kept.members, admitted)
            }
        }
    }

    @Sendable private func get(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        try await gatekeeper.serve(
            request.headers, .endpoint("get-credentials", scopes: Self.scopes), from: context.network
        ) { admitted in
            guard let found = try await credentials.existing(for: admitted.principal.userID) else {
                throw Self.notGenerated
            }
            return Self.response(found.members, admitted)
        }
    }

    @Sendable private func rotate(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let overlap = try KeyBodies.overlapSeconds(try await request.body(upTo: bodyLimitBytes))
        return try await serveChange(request, context) { admitted in
            let (user, now) = (admitted.principal.userID, time.now())
            switch try await credentials.rotate(for: user, to: try Self.newKey(), overlapSeconds: overlap, at: now) {
            case .unknown: throw Self.notGenerated
            case .tooOften(let limit): throw APIError.tooManyKeyChanges(limit, at: now)
            case .rotated(let rotated):
                logger.info("publishable key rotated", metadata: ["user": "\(user)"])
                return Self.response(rotated.members + [rotated.previousMember(at: now)], admitted)
            }
        }
    }

    @Sendable private func revoke(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        _ = try await request.body(upTo: bodyLimitBytes)
        return try await serveChange(request, context, endsKey: true) { admitted in
            let user = admitted.principal.userID
            switch try await credentials.revoke(for: user, at: time.now()) {
            case .unknown: throw Self.notGenerated
            case .revoked: logger.info("publishable key revoked", metadata: ["user": "\(user)"])
            case .revokedBefore: break
            }
            return Self.response([JSON.Member(name: "revoked", value: true)], admitted)
        }
    }

    // MARK: What they have in common

    private func serveChange(
        _ request: Request, _ context: GatewayRequestContext, endsKey: Bool = false,
        _ work: (AdmittedCaller) async throws -> Response
    ) async throws(APIError) -> Response {
        try await gatekeeper.serve(
            request.headers,
            .endpoint(
                "generate-credentials", cost: 0, quotaPolicy: .countWhileSomeIsLeft, scopes: Self.scopes,
                endsKey: endsKey),
            from: context.network, work)
    }

    private static let notGenerated = APIError(
        .notFound, error: "Credentials not generated yet", code: "credentials-not-generated",
        message: "Make them with POST /generate-credentials.")

    /// 16 and 32 random bytes of libcrypto's generator.
    private static func candidate() throws(APIError) -> Credentials {
        let made = Credentials(
            platformID: Credentials.platformPrefix + RandomBytes.hex(count: Credentials.platformDigits / 2),
            apiKey: try newKey().text)
        guard let made else { throw .internalError(cause: "credentials were made in another form than they have") }
        return made
    }

    private static func newKey() throws(APIError) -> PlatformKey {
        let key = PlatformKey(Credentials.keyPrefix + RandomBytes.hex(count: Credentials.keyDigits / 2))
        guard let key else { throw .internalError(cause: "a key was made in another form than it has") }
        return key
    }

    private static func response(_ members: [JSON.Member], _ admitted: AdmittedCaller) -> Response {
        Response(
            json: .object(members + [JSON.Member(name: "usage", value: admitted.usage.json)]),
            headers: admitted.rateLimitHeaders)
    }
}

/// Credentials as their owner sees them.
extension Credentials {
    var members: [JSON.Member] {
        [
            JSON.Member(name: "platformId", value: .string(platformID)),
            JSON.Member(name: "apiKey", value: .string(apiKey)),
        ]
    }

    /// Until when the key before this one works.
    func previousMember(at time: UnixTime) -> JSON.Member {
        JSON.Member(name: "previousUntil", value: .moment(previousUntil(at: time)))
    }
}
