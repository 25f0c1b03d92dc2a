import HTTPTypes
import Logging
import TollgateCore

/// Lets a caller in, or says why not: authentication, then admission. The order is the original's: 401, 429, 403.
package struct Gatekeeper: Sendable {
    private let authenticator: any TokenAuthenticator
    private let store: any AdmissionStore
    private let time: any TimeSource
    private let metrics: GatewayMetrics

    package init(
        authenticator: any TokenAuthenticator, store: any AdmissionStore, time: any TimeSource,
        metrics: GatewayMetrics
    ) {
        self.authenticator = authenticator
        self.store = store
        self.time = time
        self.metrics = metrics
    }

    /// A caller who was let in and charged.
    package struct Admitted: Sendable {
        package let principal: Principal
        package let usage: UsageSnapshot

        /// For the answer, whatever becomes of the request afterwards.
        package let rateLimitHeaders: HTTPFields
    }

    /// - Parameter cost: Calls of the quota that the request costs.
    /// - Throws: The refusal, ready to be answered.
    package func admit(
        _ headers: HTTPFields, cost: Int = 1, quotaPolicy: AdmissionRequest.QuotaPolicy = .enforce, logger: Logger
    ) async throws(APIError) -> Admitted {
        let principal = try await authenticate(headers)
        let request = AdmissionRequest(principal: principal, time: time.now(), cost: cost, quotaPolicy: quotaPolicy)
        let result: Result<AdmissionDecision, StoreUnavailable>
        do {
            result = .success(try await store.admit(request))
        } catch {
            result = .failure(error)
        }
        return try conclude(result, of: request, logger: logger)
    }

    /// What the store's decision means to the caller, counted.
    ///
    /// - Throws: The refusal, ready to be answered.
    func conclude(
        _ result: Result<AdmissionDecision, StoreUnavailable>, of request: AdmissionRequest, logger: Logger
    ) throws(APIError) -> Admitted {
        let decision: AdmissionDecision
        switch result {
        case .success(let value): decision = value
        case .failure(let error):
            metrics.storeUnavailable()
            throw .unavailable(cause: error.reason)
        }
        let principal = request.principal
        metrics.admission(decision)
        if decision.planIsUnknown {
            logger.warning(
                "plan unknown, fallback applied",
                metadata: ["user": "\(principal.userID)", "plan": "\(principal.claimedPlan?.prefix(64) ?? "-")"])
        }
        if let refusal = APIError(decision, at: request.time) { throw refusal }
        return Admitted(
            principal: principal, usage: decision.usage,
            rateLimitHeaders: RateLimitHeaders.fields(for: decision, at: request.time))
    }

    /// The caller, when their token was verified before; nil when it has yet to be.
    ///
    /// - Throws: The refusal of a token that has expired since, or of a request that carries none.
    func rememberedPrincipal(_ headers: HTTPFields) throws(APIError) -> Principal? {
        do {
            return try authenticator.remembered(token: try Self.bearerToken(headers))
        } catch {
            throw refusal(of: error)
        }
    }

    private func refusal(of error: any Error) -> APIError {
        if let failure = error as? AuthenticationFailure {
            metrics.authenticationFailure(failure.reason)
            return .authentication(failure)
        }
        return (error as? APIError) ?? .internalError(cause: "\(error)")
    }

    private func authenticate(_ headers: HTTPFields) async throws(APIError) -> Principal {
        do {
            return try await authenticator.authenticate(token: try Self.bearerToken(headers))
        } catch {
            throw refusal(of: error)
        }
    }

    /// The token of `Authorization: Bearer <token>`. The scheme's name is case-insensitive (RFC 9110, section 11.1).
    static func bearerToken(_ headers: HTTPFields) throws -> String {
        let values = headers[values: .authorization]
        guard values.count < 2 else { throw APIError.duplicateAuthorization }
        guard let value = values.first, !value.isEmpty else {
            throw AuthenticationFailure(
                .tokenMissing, "No Authorization header. Send 'Authorization: Bearer <session token>'.")
        }
        let scheme = "bearer "
        guard value.count > scheme.count, value.prefix(scheme.count).lowercased() == scheme else {
            throw AuthenticationFailure(
                .tokenMissing,
                "The Authorization header is not of the form 'Bearer <session token>'.")
        }
        return String(value.dropFirst(scheme.count).drop { $0 == " " })
    }
}
