import JWTKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A key pair of a pretended instance of Clerk.
struct TestKey: Sendable {
    static let first = TestKey(privatePEM: TestKeyPEM.first)
    static let second = TestKey(privatePEM: TestKeyPEM.second)

    let privatePEM: String

    var publicPEM: String {
        get throws { try Insecure.RSA.PrivateKey(pem: privatePEM).publicKey.pemRepresentation }
    }

    /// Signs the two parts with RSA and the digest asked for, whatever the header says.
    func token(
        header: String, payload: String, digest: DigestAlgorithm = .sha256
    ) async throws -> String {
        let keys = JWTKeyCollection()
        await keys.add(rsa: try Insecure.RSA.PrivateKey(pem: privatePEM), digestAlgorithm: digest)
        return try assemble(header, payload, algorithm: try await keys.getKey())
    }

    /// Signs with HMAC, the public key's text being the secret: the classical confusion of algorithms.
    func tokenByHMAC(header: String, payload: String) async throws -> String {
        let keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: try publicPEM), digestAlgorithm: .sha256)
        return try assemble(header, payload, algorithm: try await keys.getKey())
    }

    /// An entry of a JWKS document.
    func jwk(_ name: String, members: String = #""use":"sig","alg":"RS256""#) throws -> String {
        let (modulus, exponent) = try Insecure.RSA.PrivateKey(pem: privatePEM).publicKey.getKeyPrimitives()
        let (n, e) = (base64url([UInt8](modulus)), base64url([UInt8](exponent)))
        return #"{"kty":"RSA","kid":"\#(name)",\#(members),"n":"\#(n)","e":"\#(e)"}"#
    }

    private func assemble(_ header: String, _ payload: String, algorithm: any JWTAlgorithm) throws -> String {
        let signed = base64url([UInt8](header.utf8)) + "." + base64url([UInt8](payload.utf8))
        return signed + "." + base64url(try algorithm.sign([UInt8](signed.utf8)))
    }
}

func base64url(_ bytes: [UInt8]) -> String {
    String(
        Data(bytes).base64EncodedString().compactMap { character in
            switch character {
            case "+": "-"
            case "/": "_"
            case "=": nil
            default: character
            }
        })
}

/// A JWKS document of these entries.
func keySet(_ entries: String...) -> String { #"{"keys":["# + entries.joined(separator: ",") + "]}" }
