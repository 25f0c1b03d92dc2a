import HTTPTypes
import Hummingbird
import Libcrypto
import TollgateCore

/// `POST /generate-credentials` and `GET /get-credentials`: the name and the key that a user's own software signs in
/// with. Both count one call.
struct CredentialEndpoints: Sendable {
    let gatekeeper: Gatekeeper
    let credentials: any CredentialStore
    let bodyLimitBytes: Int

    var endpoints: [EndpointTable.Endpoint] {
        [
            .init(method: .post, path: "/generate-credentials", handler: generate),
            .init(method: .get, path: "/get-credentials", handler: get),
        ]
    }

    /// The same pair whenever a user asks, on whichever worker.
    @Sendable private func generate(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        _ = try await request.body(upTo: bodyLimitBytes)
        let admitted = try await gatekeeper.admit(
            request.headers, route: "generate-credentials", logger: context.logger)
        return try await admitted.withLimitsTold {
            let kept = try await credentials.credentials(
                for: admitted.principal.userID, candidate: try Self.candidate())
            return Self.response(kept, admitted)
        }
    }

    @Sendable private func get(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let admitted = try await gatekeeper.admit(request.headers, route: "get-credentials", logger: context.logger)
        return try await admitted.withLimitsTold {
            guard let found = try await credentials.existing(for: admitted.principal.userID) else {
                throw APIError(
                    .notFound, error: "Credentials not generated yet", code: "credentials-not-generated",
                    message: "Make them with POST /generate-credentials.")
            }
            return Self.response(found, admitted)
        }
    }

    /// 16 and 32 random bytes of libcrypto's generator.
    private static func candidate() throws(APIError) -> Credentials {
        let made = Credentials(
            platformID: Credentials.platformPrefix + RandomBytes.hex(count: Credentials.platformDigits / 2),
            apiKey: Credentials.keyPrefix + RandomBytes.hex(count: Credentials.keyDigits / 2))
        guard let made else { throw .internalError(cause: "credentials were made in another form than they have") }
        return made
    }

    private static func response(_ credentials: Credentials, _ admitted: Gatekeeper.Admitted) -> Response {
        Response(
            json: [
                "platformId": .string(credentials.platformID), "apiKey": .string(credentials.apiKey),
                "usage": admitted.usage.json,
            ],
            headers: admitted.rateLimitHeaders)
    }
}
