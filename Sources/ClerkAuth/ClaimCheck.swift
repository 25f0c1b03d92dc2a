package import TollgateCore

extension ClerkConfiguration {
    /// Compares the claims of a token whose signature is good with what is asked of them at `now`.
    ///
    /// - Throws: ``AuthenticationFailure`` for the first claim that does not hold.
    package func principal(from claims: SessionClaims, at now: UnixTime) throws(AuthenticationFailure) -> Principal {
        if let issuer, claims.issuer != issuer {
            throw AuthenticationFailure(
                .issuerInvalid, "The session token was issued by another instance of Clerk; sign in to this site.")
        }
        guard audiences.isEmpty || claims.audiences.contains(where: audiences.contains) else {
            throw AuthenticationFailure(
                .audienceInvalid, "The session token is meant for another audience (aud); get one for this service.")
        }
        guard authorizedParties.isEmpty || claims.authorizedParty.map(authorizedParties.contains) == true else {
            throw AuthenticationFailure(
                .authorizedPartyInvalid,
                "The session token was not obtained from an authorized origin (azp); sign in to this site.")
        }
        try claims.lifetime.check(at: now)
        guard !claims.isPending else {
            throw AuthenticationFailure(
                .sessionPending, "The session is pending; complete signing in, then send a fresh token.")
        }
        return Principal(userID: claims.subject, claimedPlan: claims.plan, issuedAt: claims.lifetime.issuedAt)
    }
}
