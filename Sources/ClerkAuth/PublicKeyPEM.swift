import JWTKit

/// The text of a public key as people paste it into an environment variable.
package enum PublicKeyPEM {
    private static let header = "-----BEGIN PUBLIC KEY-----"
    private static let footer = "-----END PUBLIC KEY-----"

    /// RFC 7468 wraps after so many characters.
    private static let lineLength = 64

    /// Reads a PEM with real newlines, with the two characters `\n` in their place, or with none at all.
    ///
    /// - Throws: ``ClerkConfigurationProblem`` naming the variable when there is no RSA key in it.
    static func parse(_ text: String) throws(ClerkConfigurationProblem) -> Insecure.RSA.PublicKey {
        guard let pem = normalized(text) else {
            throw ClerkConfigurationProblem(
                "CLERK_JWT_KEY is not a PEM public key; copy the whole JWKS Public Key from Clerk's dashboard, "
                    + "from \(header) to \(footer).")
        }
        do {
            return try Insecure.RSA.PublicKey(pem: pem)
        } catch {
            throw ClerkConfigurationProblem(
                "CLERK_JWT_KEY holds no RSA public key of 2048 bits or more; copy the whole JWKS Public Key again "
                    + "from Clerk's dashboard.")
        }
    }

    /// The same key in lines. Nil when it is not between the two marks of a SubjectPublicKeyInfo.
    private static func normalized(_ text: String) -> String? {
        let text = text.split(separator: "\\n").joined().filter { !$0.isNewline }
        let trimmed = text.drop(while: \.isWhitespace)
        guard trimmed.hasPrefix(header) else { return nil }
        let body = trimmed.dropFirst(header.count).filter { !$0.isWhitespace }
        let footer = footer.filter { !$0.isWhitespace }
        guard body.hasSuffix(footer) else { return nil }

        var lines = [header]
        var rest = body.dropLast(footer.count)
        while !rest.isEmpty {
            lines.append(String(rest.prefix(lineLength)))
            rest = rest.dropFirst(lineLength)
        }
        return (lines + [Self.footer, ""]).joined(separator: "\n")
    }
}
