import ClerkAuth
import JWTKit
import Testing
import TollgateCore

/// What is refused and what is let through, with a key that is known.
@Suite struct SessionTokenTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let token: TestToken
        let refusal: AuthenticationFailure.Reason?

        init(
            _ name: String, header: [String: String?] = [:], claims: [String: String?] = [:],
            _ refusal: AuthenticationFailure.Reason?
        ) {
            self.name = name
            self.token = TestToken(header: header, claims: claims)
            self.refusal = refusal
        }

        var testDescription: String { name }
    }

    static let headers = [
        Case("good", nil),
        Case("no typ", header: ["typ": nil], nil),
        Case("typ at+jwt", header: ["typ": #""at+jwt""#], .tokenInvalid),
        Case("typ a number", header: ["typ": "1"], .tokenInvalid),
        Case("kid does not matter with a PEM", header: ["kid": #""ins_9""#], nil),
        Case("no kid with a PEM", header: ["kid": nil], nil),
        Case("kid a number", header: ["kid": "1"], .tokenInvalid),
        Case("alg none", header: ["alg": #""none""#], .algorithmInvalid),
        Case("alg absent", header: ["alg": nil], .algorithmInvalid),
        Case("alg rs256 in small letters", header: ["alg": #""rs256""#], .algorithmInvalid),
        Case("crit unknown", header: ["crit": #"["b64"]"#], .tokenInvalid),
        Case("crit empty", header: ["crit": "[]"], .tokenInvalid),
        Case("cat of a session", header: ["cat": #""cl_B7d4PD111AAA""#], nil),
        Case("cat of a template", header: ["cat": #""cl_B7d4PD222AAA""#], nil),
        Case("cat of a machine", header: ["cat": #""cl_B7d4PD333AAA""#], .tokenInvalid),
    ]

    static let times = [
        Case("expired by 4.999 s", claims: ["exp": "\(testNow - 5).001"], nil),
        Case("expired by 5 s", claims: ["exp": "\(testNow - 5)"], .tokenExpired),
        Case("exp negative", claims: ["exp": "-1"], .tokenExpired),
        Case("exp zero", claims: ["exp": "0"], .tokenExpired),
        Case("exp absent", claims: ["exp": nil], .tokenInvalid),
        Case("exp null", claims: ["exp": "null"], .tokenInvalid),
        Case("exp a string", claims: ["exp": #""1900000000""#], .tokenInvalid),
        Case("exp a bool", claims: ["exp": "true"], .tokenInvalid),
        Case("exp 1e300", claims: ["exp": "1e300"], .tokenInvalid),
        Case("exp -1e300", claims: ["exp": "-1e300"], .tokenInvalid),
        Case("exp 1e400", claims: ["exp": "1e400"], .tokenInvalid),
        Case("exp in exponents", claims: ["exp": "1.9e9"], nil),
        Case("nbf absent", claims: ["nbf": nil], nil),
        Case("nbf in 5 s", claims: ["nbf": "\(testNow + 5)"], nil),
        Case("nbf in 6 s", claims: ["nbf": "\(testNow + 6)"], .tokenNotActiveYet),
        Case("nbf a string", claims: ["nbf": #""1""#], .tokenInvalid),
        Case("nbf null", claims: ["nbf": "null"], .tokenInvalid),
        Case("iat absent", claims: ["iat": nil], nil),
        Case("iat in 5 s", claims: ["iat": "\(testNow + 5)"], nil),
        Case("iat in 6 s", claims: ["iat": "\(testNow + 6)"], .issuedInTheFuture),
        Case("iat a list", claims: ["iat": "[1]"], .tokenInvalid),
    ]

    static let subjects = [
        Case("sub absent", claims: ["sub": nil], .tokenInvalid),
        Case("sub a number", claims: ["sub": "7"], .tokenInvalid),
        Case("sub empty", claims: ["sub": #""""#], .tokenInvalid),
        Case("sub with braces", claims: ["sub": #""user_{1}""#], .tokenInvalid),
        Case("sub with a newline", claims: ["sub": #""user_1\n""#], .tokenInvalid),
        Case("sub too long", claims: ["sub": "\"\(String(repeating: "u", count: 129))\""], .tokenInvalid),
        Case("sts active", claims: ["sts": #""active""#], nil),
        Case("sts pending", claims: ["sts": #""pending""#], .sessionPending),
        Case("unknown claims", claims: ["o": #"{"id":"org_1"}"#, "fva": "[1,-1]"], nil),
    ]

    @Test(arguments: headers + times + subjects)
    func verdict(_ example: Case) async throws {
        #expect(try await pemAuthenticator().refusal(of: example.token.signed()) == example.refusal)
    }

    @Test func theUserAndTheTimeOfIssue() async throws {
        let principal = try await pemAuthenticator().authenticate(token: TestToken().signed())
        #expect(principal.userID.value == "user_2abc")
        #expect(principal.issuedAt == UnixTime(seconds: testNow))
        #expect(principal.claimedPlan == nil)
    }

    @Test func aMessageNamesTheClaimAndNeverHoldsTheToken() async throws {
        let token = try await TestToken(claims: ["sub": "7"]).signed()
        let failure = await #expect(throws: AuthenticationFailure.self) {
            try await pemAuthenticator().authenticate(token: token)
        }
        #expect(failure?.message.contains("sub") == true)
        #expect(failure?.message.contains(token) == false)
    }

    @Test(arguments: [DigestAlgorithm.sha384, .sha512])
    func onlyRS256EvenWithTheRightKey(_ digest: DigestAlgorithm) async throws {
        let name = digest == .sha384 ? "RS384" : "RS512"
        let honest = TestToken(header: ["alg": "\"\(name)\""])
        let token = try await TestKey.first.token(
            header: honest.headerText, payload: honest.payloadText, digest: digest)
        #expect(try await pemAuthenticator().refusal(of: token) == .algorithmInvalid)

        let lying = try await TestKey.first.token(
            header: TestToken().headerText, payload: TestToken().payloadText, digest: digest)
        #expect(try await pemAuthenticator().refusal(of: lying) == .signatureInvalid)
    }

    @Test func aPublicKeyIsNoSecretOfAnHMAC() async throws {
        let honest = TestToken(header: ["alg": #""HS256""#])
        let token = try await TestKey.first.tokenByHMAC(header: honest.headerText, payload: honest.payloadText)
        #expect(try await pemAuthenticator().refusal(of: token) == .algorithmInvalid)

        let lying = try await TestKey.first.tokenByHMAC(
            header: TestToken().headerText, payload: TestToken().payloadText)
        #expect(try await pemAuthenticator().refusal(of: lying) == .signatureInvalid)
    }

    @Test func anotherKeyAndAnotherPayloadAreRefused() async throws {
        let authenticator = try pemAuthenticator()
        let otherKeys = try await TestToken().signed(by: .second)
        #expect(await authenticator.refusal(of: otherKeys) == .signatureInvalid)

        let parts = try await TestToken().signed().split(separator: ".")
        let forged = base64url([UInt8](TestToken(claims: ["sub": #""user_1""#]).payloadText.utf8))
        #expect(await authenticator.refusal(of: "\(parts[0]).\(forged).\(parts[2])") == .signatureInvalid)
        #expect(await authenticator.refusal(of: "\(parts[0]).\(parts[1]).") == .signatureInvalid)
    }
}
