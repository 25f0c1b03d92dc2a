import CryptoExtras
package import JSONValue
package import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Stands in for the identity provider: signs tokens as Clerk does, with a key of its own, and says how to verify them.
package struct DevelopmentIdentity: Sendable {
    /// How a token made by ``sign(header:claims:with:)`` is signed.
    package enum Signature: Sendable {
        /// With our key, as it should be.
        case rs256
        /// With a shared secret. Verifiers who take it for RSA's public key have been fooled by this.
        case hs256(secret: String)
        /// Not at all: the part is empty.
        case none
        /// With bytes of the caller's choice.
        case bytes([UInt8])
    }

    /// The `kid` in the tokens' headers and in the key set.
    package static let keyID = "ins_development"

    /// The claim `iss` of the tokens, and where a verifier fetches our key from.
    package let issuer: String

    /// The key set that `/.well-known/jwks.json` answers with.
    package let jwksJSON: String

    private let key: _RSA.Signing.PrivateKey

    /// Takes the key that is kept in `directory`, or makes one and keeps it there, readable by its owner alone.
    package init(directory: String, issuer: String) throws {
        self.issuer = issuer
        let file = PrivateFile(directory: directory, name: "development-identity.pem")
        let pem = try file.contents {
            try _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation
        }
        key = try _RSA.Signing.PrivateKey(pemRepresentation: pem)
        let numbers = try key.publicKey.getKeyPrimitives()
        let publicKey: JSON = [
            "use": "sig", "kty": "RSA", "kid": .string(Self.keyID), "alg": "RS256",
            "n": .string(Self.base64URL(numbers.modulus)), "e": .string(Self.base64URL(numbers.publicExponent)),
        ]
        jwksJSON = (["keys": [publicKey]] as JSON).text
    }

    /// SubjectPublicKeyInfo, as in `CLERK_JWT_KEY`.
    package var publicKeyPEM: String { key.publicKey.pemRepresentation }

    /// A session token as Clerk mints them, but one that lives for a day.
    ///
    /// - Parameters:
    ///   - user: The claim `sub`.
    ///   - plan: The claim `plan`, which Clerk takes from the instance's custom claims. Nil leaves it out.
    ///   - now: When the token is issued.
    ///   - authorizedParty: The claim `azp`, the origin of the page that asked. Nil leaves it out, as for native apps.
    package func token(
        user: String, plan: String? = nil, now: UnixTime, lifetimeSeconds: Int = 86_400,
        authorizedParty: String? = nil
    ) throws -> String {
        var claims: JSON = [:]
        if let authorizedParty { claims["azp"] = .string(authorizedParty) }
        claims["exp"] = .integer(now.seconds + Int64(lifetimeSeconds))
        claims["iat"] = .integer(now.seconds)
        claims["iss"] = .string(issuer)
        claims["jti"] = .string(Self.randomDigits())
        // Clerk leaves room for clocks that are late.
        claims["nbf"] = .integer(now.seconds - 10)
        if let plan { claims["plan"] = .string(plan) }
        claims["sid"] = .string("sess_\(Self.randomDigits())")
        claims["sub"] = .string(user)
        claims["v"] = 2
        let header: JSON = ["alg": "RS256", "kid": .string(Self.keyID), "typ": "JWT"]
        return try sign(header: header, claims: claims)
    }

    /// A token with any header and claims, right or wrong.
    package func sign(header: JSON, claims: JSON, with signature: Signature = .rs256) throws -> String {
        let signed = [header, claims].map { Self.base64URL(Data($0.text.utf8)) }.joined(separator: ".")
        let message = Data(signed.utf8)
        let bytes =
            switch signature {
            case .rs256:
                // RFC 7518 calls this RS256: PKCS #1 v1.5 with SHA-256.
                try key.signature(for: message, padding: .insecurePKCS1v1_5).rawRepresentation
            case .hs256(let secret):
                Data(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: Data(secret.utf8))))
            case .none:
                Data()
            case .bytes(let bytes):
                Data(bytes)
            }
        return "\(signed).\(Self.base64URL(bytes))"
    }

    private static func base64URL(_ data: Data) -> String {
        String(
            data.base64EncodedString().compactMap { character in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }

    private static func randomDigits() -> String {
        String(UInt128.random(in: (1 << 124)...UInt128.max), radix: 16)
    }
}
