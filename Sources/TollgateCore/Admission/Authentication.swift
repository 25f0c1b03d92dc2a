/// Tells who a bearer token belongs to. Verification is remembered, so that asking again costs no cryptography.
package protocol TokenAuthenticator: Sendable {
    /// - Throws: ``AuthenticationFailure`` with a reason that a caller can act on.
    func authenticate(token: String) async throws(AuthenticationFailure) -> Principal

    /// The answer for a token that was verified before, at once. Nil for any other.
    ///
    /// - Throws: ``AuthenticationFailure`` when the token has expired since.
    func remembered(token: String) throws(AuthenticationFailure) -> Principal?
}

/// Why a caller was not let in.
package struct AuthenticationFailure: Error, Sendable, Hashable {
    /// Stable names: the `code` of the HTTP answer and the label of the metric. Those that Clerk's SDKs have, as they
    /// spell them (clerk/javascript packages/backend/src/errors.ts).
    package enum Reason: String, Sendable, CaseIterable {
        case tokenMissing = "session-token-missing"
        case tokenInvalid = "token-invalid"
        case signatureInvalid = "token-invalid-signature"
        case algorithmInvalid = "token-invalid-algorithm"
        case tokenExpired = "token-expired"
        case tokenNotActiveYet = "token-not-active-yet"
        case issuedInTheFuture = "token-iat-in-the-future"
        case authorizedPartyInvalid = "token-invalid-authorized-parties"
        case audienceInvalid = "token-invalid-audience"
        case issuerInvalid = "token-invalid-issuer"
        case sessionPending = "session-pending"
        case keyUnknown = "jwk-kid-mismatch"
        case keysUnavailable = "jwk-failed-to-load"
    }

    package let reason: Reason

    /// One sentence for the caller: what is wrong and what to do. Never holds the token.
    package let message: String

    package init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    /// The fault is on our side of the counter: the caller should come again, not sign out.
    package var isTemporary: Bool { reason == .keysUnavailable }
}
