/// How a caller was authenticated, or is to be: a key's last check is part of the admission itself.
package enum Credential: Sendable, Hashable {
    /// A session token, verified by its signature.
    case token

    /// A secret key. The user whom it names is not to be believed before the admission says so.
    case secretKey(id: KeyID, mode: KeyMode, hash: KeyHash)

    /// The key of a user's platform credentials, whose owner was looked up or remembered. The admission compares it
    /// with the one that the user has now.
    ///
    /// - Parameters:
    ///   - fingerprint: The SHA-1 of the whole key in 40 lower-case hexadecimal digits: the one digest that a
    ///   script in Redis can compute of the key that is stored there. So the key itself need not travel.
    ///   - platformID: The platform that the key belongs to.
    case platformKey(fingerprint: String, platformID: String)

    /// The name of the key. Nil when it has none.
    package var keyID: KeyID? {
        if case .secretKey(let id, _, _) = self { id } else { nil }
    }

    /// The platform that the caller is. Nil for every other caller.
    package var platformID: String? {
        if case .platformKey(_, let platformID) = self { platformID } else { nil }
    }

    package var isKey: Bool { self != .token }
}
