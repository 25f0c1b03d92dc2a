/// Whose session tokens are accepted, and what they must say.
package struct ClerkConfiguration: Sendable {
    /// Where the keys that verify signatures come from.
    package enum KeySource: Sendable, Hashable {
        /// The instance's public key itself: no network is needed, and no rotation is noticed.
        case pem(String)

        /// A JWKS document. The secret is sent as a bearer token, for the backend API.
        case jwks(url: String, bearerSecret: String?)
    }

    /// Where the keys that verify signatures come from.
    package var keySource: KeySource

    /// What the claim `iss` must be, such as `https://clerk.example.com`. Nil: not compared.
    package var issuer: String?

    /// What the claim `azp` may be: the origins of the pages that may ask. Empty: not compared.
    package var authorizedParties: [String]

    /// What the claim `aud` may be. Empty: not compared.
    package var audiences: [String]

    /// A slash at the end of `issuer` is dropped: people paste it, Clerk never writes it.
    package init(
        keySource: KeySource, issuer: String? = nil, authorizedParties: [String] = [], audiences: [String] = []
    ) {
        self.keySource = keySource
        self.issuer = issuer.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        self.authorizedParties = authorizedParties
        self.audiences = audiences
    }
}

extension ClerkConfiguration.KeySource {
    /// The best source of those that are configured: a key that needs no network, then a URL that was asked for by
    /// name, then the publishable key's host, which needs no secret, then the backend API, which needs one.
    ///
    /// The secret never goes to a host other than that of `apiURL`.
    package static func firstConfigured(
        pem: String? = nil,
        jwksURL: String? = nil,
        publishableKey: PublishableKey? = nil,
        apiURL: String = "https://api.clerk.com",
        secretKey: String? = nil
    ) -> Self? {
        if let pem { return .pem(pem) }
        if let jwksURL {
            return .jwks(url: jwksURL, bearerSecret: jwksURL.hasPrefix(apiURL + "/") ? secretKey : nil)
        }
        if let publishableKey { return .jwks(url: publishableKey.jwksURL, bearerSecret: nil) }
        return secretKey.map { .jwks(url: apiURL + "/v1/jwks", bearerSecret: $0) }
    }
}

/// A setting that cannot work, found at start. Never holds the setting's value, which may be a secret.
package struct ClerkConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// One sentence for the operator: which setting, what is wrong with it, and what to do.
    package let description: String

    /// A problem that reads like this.
    package init(_ description: String) { self.description = description }
}
