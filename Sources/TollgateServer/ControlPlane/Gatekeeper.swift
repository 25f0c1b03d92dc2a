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

    /// - Throws: The refusal, ready to be answered.
    package func admit(
        _ headers: HTTPFields, quotaPolicy: AdmissionRequest.QuotaPolicy = .enforce, logger: Logger
    ) async throws(APIError) -> Admitted {
        let principal = try await authenticate(headers)
        let now = time.now()
        let request = AdmissionRequest(principal: principal, time: now, quotaPolicy: quotaPolicy)
        let decision: AdmissionDecision
        do {
            decision = try await store.admit(request)
        } catch {
            metrics.storeUnavailable()
            throw .unavailable(cause: error.reason)
        }
        metrics.admission(decision)
        if decision.planIsUnknown {
            logger.warning(
                "plan unknown, fallback applied",
                metadata: ["user": "\(principal.userID)", "plan": "\(principal.claimedPlan?.prefix(64) ?? "-")"])
        }
        if let refusal = APIError(decision, at: now) { throw refusal }
        return Admitted(
            principal: principal, usage: decision.usage,
            rateLimitHeaders: RateLimitHeaders.fields(for: decision, at: now))
    }

    private func authenticate(_ headers: HTTPFields) async throws(APIError) -> Principal {
        do {
            return try await authenticator.authenticate(token: try Self.bearerToken(headers))
        } catch let failure as AuthenticationFailure {
            metrics.authenticationFailure(failure.reason)
            throw .authentication(failure)
        } catch {
            throw (error as? APIError) ?? .internalError(cause: "\(error)")
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
