import JWTKit

/// A public key that verifies RS256 signatures.
///
/// JWTKit keeps its keys in an actor and enters it for each signature. Taken out once, a key is a value like any
/// other and verifies where it is asked.
package struct VerificationKey: Sendable {
    private let publicKey: Insecure.RSA.PublicKey
    private let algorithm: any JWTAlgorithm

    /// Wraps a key for RS256, whatever algorithm a token's header may name.
    init(_ publicKey: Insecure.RSA.PublicKey) async throws {
        self.publicKey = publicKey
        let keys = JWTKeyCollection()
        await keys.add(rsa: publicKey, digestAlgorithm: .sha256)
        algorithm = try await keys.getKey()
    }

    /// Whether this key's owner signed `token`.
    func verifies(_ token: SessionToken) -> Bool {
        (try? algorithm.verify(token.signature, signs: token.signedBytes)) ?? false
    }
}

extension VerificationKey: Equatable {
    /// Two keys are one when modulus and exponent are, whatever their name.
    package static func == (left: Self, right: Self) -> Bool { left.publicKey == right.publicKey }
}
