package import TollgateCore

/// When a token may be used. Checked each time it is, also when all else of it is remembered.
package struct TokenLifetime: Sendable, Hashable {
    /// How far Clerk's clock and ours may be apart. The SDKs allow the same.
    static let leewaySeconds: Int64 = 5

    /// From this moment on it is void.
    package let expiresAt: UnixTime

    /// Before this moment it is not valid yet. Nil: at once.
    let notBefore: UnixTime?

    /// When it was made. Nil when it does not say.
    package let issuedAt: UnixTime?

    /// The three moments as the token states them, without leeway.
    package init(expiresAt: UnixTime, notBefore: UnixTime? = nil, issuedAt: UnixTime? = nil) {
        self.expiresAt = expiresAt
        self.notBefore = notBefore
        self.issuedAt = issuedAt
    }

    /// - Throws: ``AuthenticationFailure`` when `now` is too late or too early.
    package func check(at now: UnixTime) throws(AuthenticationFailure) {
        guard expiresAt > now.adding(seconds: -Self.leewaySeconds) else {
            throw AuthenticationFailure(.tokenExpired, "The session token has expired; get a fresh one.")
        }
        let latestStart = now.adding(seconds: Self.leewaySeconds)
        if let notBefore, notBefore > latestStart {
            throw AuthenticationFailure(
                .tokenNotActiveYet, "The session token is not active yet (nbf); try again in a moment.")
        }
        if let issuedAt, issuedAt > latestStart {
            throw AuthenticationFailure(
                .issuedInTheFuture, "The session token was issued in the future (iat); try again in a moment.")
        }
    }
}
