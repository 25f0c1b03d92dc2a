import JSONValue
import JWTKit
import Testing
import TollgateCore
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite(.timeLimit(.minutes(6)))
struct DevelopmentIdentityTests {
    private let issuer = "http://127.0.0.1:4001"
    private let now = UnixTime(seconds: 1_764_198_000)

    /// The claims as a verifier reads them.
    private struct Claims: JWTPayload {
        let azp: String?
        let exp: Int64
        let iat: Int64
        let iss: String
        let jti: String
        let nbf: Int64
        let plan: String?
        let sid: String
        let sub: String
        let v: Int

        func verify(using algorithm: some JWTAlgorithm) throws {}
    }

    @Test
    func keyIsKeptForItsOwnerAlone() async throws {
        try await withTemporaryDirectory { directory in
            let data = "\(directory)/data"
            let first = try DevelopmentIdentity(directory: data, issuer: issuer)
            let files = try FileManager.default.contentsOfDirectory(atPath: data)
            #expect(files == ["development-identity.pem"])
            let path = "\(data)/\(files[0])"
            #expect(try permissions(of: data) == 0o700)
            #expect(try permissions(of: path) == 0o600)

            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            let second = try DevelopmentIdentity(directory: data, issuer: issuer)
            #expect(try permissions(of: path) == 0o600)
            #expect(first.publicKeyPEM == second.publicKeyPEM)
            #expect(first.jwksJSON == second.jwksJSON)

            let other = try DevelopmentIdentity(directory: "\(directory)/other", issuer: issuer)
            #expect(other.publicKeyPEM != first.publicKeyPEM)
        }
    }

    @Test
    func everybodyAtOnceGetsTheSameKey() async throws {
        try await withTemporaryDirectory { directory in
            let issuer = issuer
            let keys = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try DevelopmentIdentity(directory: directory, issuer: issuer).publicKeyPEM
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(keys.count == 1)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 1)
        }
    }

    @Test
    func tokenVerifiesAgainstTheKeySet() async throws {
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity(directory: directory, issuer: issuer)
            let keys = try await JWTKeyCollection().add(jwksJSON: identity.jwksJSON)
            let token = try identity.token(
                user: "user_1\"\\\n", plan: "paid", now: now, authorizedParty: "http://localhost:5173")
            let claims = try await keys.verify(token, as: Claims.self)
            #expect(claims.sub == "user_1\"\\\n")
            #expect(claims.plan == "paid")
            #expect(claims.azp == "http://localhost:5173")
            #expect(claims.iss == issuer)
            #expect(claims.iat == now.seconds)
            #expect(claims.nbf == now.seconds - 10)
            #expect(claims.exp == now.seconds + 86_400)
            #expect(claims.sid.hasPrefix("sess_"))
            #expect(claims.jti.count == 32)
            #expect(claims.v == 2)

            let plain = try identity.token(user: "user_2", now: now, lifetimeSeconds: 60)
            let plainClaims = try await keys.verify(plain, as: Claims.self)
            #expect(plainClaims.plan == nil)
            #expect(plainClaims.azp == nil)
            #expect(plainClaims.exp == now.seconds + 60)
            #expect(plainClaims.jti != claims.jti)
        }
    }

    @Test
    func tokenVerifiesAgainstThePublicKey() async throws {
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity(directory: directory, issuer: issuer)
            let key = try Insecure.RSA.PublicKey(pem: identity.publicKeyPEM)
            let keys = await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256)
            let token = try identity.token(user: "user_1", now: now)
            #expect(try await keys.verify(token, as: Claims.self).sub == "user_1")
            #expect(try text(of: token, part: 0) == #"{"alg":"RS256","kid":"ins_development","typ":"JWT"}"#)

            let forged = try DevelopmentIdentity(directory: "\(directory)/other", issuer: issuer)
                .token(user: "user_1", now: now)
            await #expect(throws: (any Error).self) { try await keys.verify(forged, as: Claims.self) }
        }
    }

    @Test
    func wrongTokensCanBeMade() async throws {
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity(directory: directory, issuer: issuer)
            let unsigned = try identity.sign(
                header: ["alg": "none", "alg": "RS256"],
                claims: ["sub": nil, "exp": 1.5, "v": [2, true, "\u{1}é\\"]], with: .none)
            #expect(try text(of: unsigned, part: 0) == #"{"alg":"none","alg":"RS256"}"#)
            #expect(try text(of: unsigned, part: 1) == #"{"sub":null,"exp":1.5,"v":[2,true,"\u0001é\\"]}"#)
            #expect(unsigned.hasSuffix("."))

            let confused = try identity.sign(
                header: ["alg": "HS256"], claims: ["sub": "user_1"], with: .hs256(secret: identity.publicKeyPEM))
            let keys = await JWTKeyCollection()
                .add(hmac: HMACKey(from: identity.publicKeyPEM), digestAlgorithm: .sha256)
            struct Subject: JWTPayload {
                let sub: String
                func verify(using algorithm: some JWTAlgorithm) throws {}
            }
            #expect(try await keys.verify(confused, as: Subject.self).sub == "user_1")

            let bytes = try identity.sign(header: [:], claims: [], with: .bytes([0xfb, 0xff]))
            #expect(bytes == "e30.W10.-_8")
        }
    }

    private func text(of token: String, part: Int) throws -> String {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        var encoded = String(parts[part].map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        while encoded.count % 4 != 0 { encoded += "=" }
        return String(decoding: try #require(Data(base64Encoded: encoded)), as: UTF8.self)
    }
}
