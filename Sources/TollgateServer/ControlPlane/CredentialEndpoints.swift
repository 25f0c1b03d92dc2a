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
        let admitted = try await gatekeeper.admit(request.headers, logger: context.logger)
        let candidate = try Self.candidate()
        let found = try await stored(admitted) {
            () async throws(StoreUnavailable) in
            try await credentials.credentials(for: admitted.principal.userID, candidate: candidate)
        }
        return Self.response(found, admitted)
    }

    @Sendable private func get(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let admitted = try await gatekeeper.admit(request.headers, logger: context.logger)
        let found = try await stored(admitted) {
            () async throws(StoreUnavailable) in
            try await credentials.existing(for: admitted.principal.userID)
        }
        guard let found else {
            var error = APIError(
                .notFound, error: "Credentials not generated yet", code: "credentials-not-generated",
                message: "Make them with POST /generate-credentials.")
            error.headers = admitted.rateLimitHeaders
            throw error
        }
        return Self.response(found, admitted)
    }

    private func stored<Value>(
        _ admitted: Gatekeeper.Admitted, _ operation: () async throws(StoreUnavailable) -> Value
    ) async throws(APIError) -> Value {
        do {
            return try await operation()
        } catch {
            var unavailable = APIError.unavailable(cause: error.reason)
            for field in admitted.rateLimitHeaders { unavailable.headers.append(field) }
            throw unavailable
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
