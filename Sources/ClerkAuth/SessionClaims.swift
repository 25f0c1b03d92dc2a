package import TollgateCore

/// What a session token says, as far as it matters here.
package struct SessionClaims: Sendable, Hashable {
    /// `sub`: the user.
    package let subject: UserID

    /// `exp`, `nbf` and `iat`: when it may be used.
    package let lifetime: TokenLifetime

    /// `iss`: the frontend API of the instance that issued it.
    package let issuer: String?

    /// `azp`: the origin of the page that got it. Native apps have none.
    package let authorizedParty: String?

    /// `aud`: whom it is meant for. Clerk writes it only when a template says so.
    package let audiences: [String]

    /// `sts`: the user has still something to do before the session is theirs.
    let isPending: Bool

    /// The plan that the instance's custom claims or a JWT template put there.
    package let plan: String?
}

extension SessionClaims: Decodable {
    /// How the ids of Clerk's machines begin.
    private static let machinePrefix = "mch_"

    /// Claims that are compared only on request are read leniently: of the wrong type they count as absent, which is
    /// refused where they matter.
    package init(from decoder: any Decoder) throws {
        let claims = try decoder.container(keyedBy: JSONName.self)
        guard let text = try? claims.decode(String.self, forKey: "sub"), let subject = UserID(text) else {
            throw AuthenticationFailure.invalid(
                "The token's claim sub is not a user's id; send the session token of a signed-in user.")
        }
        // A machine's token is signed with the same key, and need not say its kind in the header.
        guard !text.hasPrefix(Self.machinePrefix) else {
            throw AuthenticationFailure.invalid(
                "The token's claim sub names a machine (\(Self.machinePrefix)); send a user's session token.")
        }
        guard let expiresAt = try claims.moment("exp") else {
            throw AuthenticationFailure.invalid("The token has no claim exp; send a session token, which expires.")
        }
        self.subject = subject
        lifetime = TokenLifetime(
            expiresAt: expiresAt, notBefore: try claims.moment("nbf"), issuedAt: try claims.moment("iat"))
        issuer = try? claims.decode(String.self, forKey: "iss")
        authorizedParty = try? claims.decode(String.self, forKey: "azp")
        audiences = claims.strings("aud")
        isPending = (try? claims.decode(String.self, forKey: "sts")) == "pending"
        plan = claims.plan
    }
}

extension KeyedDecodingContainer<JSONName> {
    /// A NumericDate (RFC 7519): seconds, possibly with a fraction. Nil when absent.
    fileprivate func moment(_ name: JSONName) throws -> UnixTime? {
        guard contains(name) else { return nil }
        // Any number is valid JSON, also one that is no moment.
        guard let moment = (try? decode(Double.self, forKey: name)).flatMap({ UnixTime(checkedSeconds: $0) }) else {
            throw AuthenticationFailure.invalid(
                "The token's claim \(name.stringValue) is not a number of seconds; send the token as Clerk gave it.")
        }
        return moment
    }

    /// One string or a list of them, as RFC 7519 lets `aud` be.
    fileprivate func strings(_ name: JSONName) -> [String] {
        if let single = try? decode(String.self, forKey: name) { return [single] }
        return (try? decode([String].self, forKey: name)) ?? []
    }

    /// The first of the places where templates put the plan. An empty string claims nothing.
    fileprivate var plan: String? {
        if let plan = nonEmptyString("plan") { return plan }
        for place in ["metadata", "public_metadata", "publicMetadata"] as [JSONName] {
            let members = try? nestedContainer(keyedBy: JSONName.self, forKey: place)
            if let plan = members?.nonEmptyString("plan") { return plan }
        }
        return nil
    }

    private func nonEmptyString(_ name: JSONName) -> String? {
        guard let text = try? decode(String.self, forKey: name), !text.isEmpty else { return nil }
        return text
    }
}
