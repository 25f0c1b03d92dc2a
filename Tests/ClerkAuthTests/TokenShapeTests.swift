import ClerkAuth
import Testing
import TollgateCore

/// Text that is no token at all, and text that is almost one.
@Suite struct TokenShapeTests {
    @Test func emptyIsMissing() async throws {
        #expect(try await pemAuthenticator().refusal(of: "") == .tokenMissing)
    }

    @Test(arguments: [
        "a", "a.b", "a.b.c.d", "..", "...", "!.!.!", "e30.e30.e30", "e30.e30.", "W10.W10.W10", "bnVsbA.bnVsbA.",
        "eyJhbGciOiJSUzI1NiJ9.e30=.AA", "\u{1F600}.\u{1F600}.\u{1F600}", " ", "\0.\0.\0",
        "ak_live_1", "oat_1", "m2m_1", "mt_1",
    ])
    func nonsense(_ text: String) async throws {
        let reason = try await pemAuthenticator().refusal(of: text)
        #expect(reason == .tokenInvalid || reason == .algorithmInvalid)
    }

    @Test(arguments: ["ak_", "oat_", "m2m_", "mt_"])
    func machineTokensAreNamed(_ prefix: String) async throws {
        let failure = await #expect(throws: AuthenticationFailure.self) {
            try await pemAuthenticator().authenticate(token: prefix + "0123456789")
        }
        #expect(failure?.reason == .tokenInvalid)
        #expect(failure?.message.contains("machine") == true)
    }

    /// Any number is JSON; a moment lies in the years 0 to 9999.
    @Test(arguments: [
        "-9e12", "9e12", "-62167219201", "253402300800", "1e300", "-1e300", "1e999", "9223372036854775807",
        "-9223372036854775808", "9007199254740993", "true", #""1800000000""#, "[1]", "null",
    ])
    func momentsBeyondTheCalendarAreRefused(_ number: String) async throws {
        let authenticator = try pemAuthenticator()
        for claim in ["iat", "nbf", "exp"] {
            let token = try await TestToken(claims: [claim: number]).signed()
            #expect(await authenticator.refusal(of: token) == .tokenInvalid, "\(claim)")
        }
    }

    @Test(arguments: ["-62167219200", "-0.5", "0", "1799999999.9999"])
    func momentsOfTheCalendarAreRead(_ number: String) async throws {
        let token = try await TestToken(claims: ["iat": number, "nbf": number]).signed()
        let principal = try await pemAuthenticator().authenticate(token: token)
        #expect(principal.issuedAt.map { $0.iso8601.utf8.count } == 20)
    }

    /// Deep JSON is refused and not recursed into, in every part.
    @Test(arguments: [500, 2_000])
    func deepTokensAreRefusedOrRead(depth: Int) async throws {
        let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        let authenticator = try pemAuthenticator()
        for token in [TestToken(header: ["x": deep]), TestToken(claims: ["x": deep])] {
            let refusal = await authenticator.refusal(of: try await token.signed())
            #expect(refusal == nil || refusal == .tokenInvalid)
        }
    }

    /// Signed with the same key, of no kind by its header, and no authorized origins are configured.
    @Test func aMachinesJWTIsNoUser() async throws {
        let token = try await TestToken(claims: ["sub": #""mch_2abc""#, "azp": nil]).signed()
        let failure = await #expect(throws: AuthenticationFailure.self) {
            try await pemAuthenticator().authenticate(token: token)
        }
        #expect(failure?.reason == .tokenInvalid)
        #expect(failure?.message.contains("machine") == true)
    }

    @Test func eachPartMustBeStrictBase64() async throws {
        let authenticator = try pemAuthenticator()
        let token = try await TestToken().signed()
        #expect(await authenticator.refusal(of: token) == nil)
        for spoiled in [token + "=", token + "==", token + "\n", " " + token, token + ".", "." + token] {
            #expect(await authenticator.refusal(of: spoiled) == .tokenInvalid)
        }
        #expect(await authenticator.refusal(of: token + "A") == .signatureInvalid)
        for index in 0..<3 {
            var parts = token.split(separator: ".").map(String.init)
            parts[index] = "+" + parts[index].dropFirst()
            #expect(await authenticator.refusal(of: parts.joined(separator: ".")) == .tokenInvalid)
        }
    }

    @Test func aSignatureHasOneSpelling() async throws {
        // 256 bytes leave four bits of the last digit unused: a lenient decoder would accept 16 of them.
        let token = try await TestToken().signed()
        let authenticator = try pemAuthenticator()
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        var accepted = 0
        for digit in digits {
            let spelling = token.dropLast() + "\(digit)"
            if await authenticator.refusal(of: String(spelling)) == nil { accepted += 1 }
        }
        #expect(accepted == 1)
    }

    @Test func tooLong() async throws {
        let long = TestToken(claims: ["x": "\"\(String(repeating: "x", count: 9216))\""])
        let token = try await long.signed()
        let failure = await #expect(throws: AuthenticationFailure.self) {
            try await pemAuthenticator().authenticate(token: token)
        }
        #expect(failure?.reason == .tokenInvalid)
        #expect(failure?.message.contains("8192") == true)

        let large = TestToken(claims: ["x": "\"\(String(repeating: "x", count: 5000))\""])
        #expect(try await pemAuthenticator().refusal(of: large.signed()) == nil)
    }

    @Test func jsonOfUnusualShape() async throws {
        let token = TestToken()
        let deep = String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000)
        let duplicate = #"{"sub":"user_1","sub":"user_2","exp":1,"exp":1900000000}"#
        for payload in ["", "{", "[]", "1", "\"x\"", "null", deep, #"{"x":\#(deep)}"#, duplicate, "\u{FEFF}{}"] {
            let signed = try await TestKey.first.token(header: token.headerText, payload: payload)
            // What matters is that it comes back: refused, or with a user that the token names.
            let reason = try await pemAuthenticator().refusal(of: signed)
            #expect(reason == .tokenInvalid || payload == duplicate)
        }
    }

    @Test(
        arguments: [
            ("", []), ("AA", [0]), ("AAA", [0, 0]), ("AAAA", [0, 0, 0]), ("-_8", [251, 255]), ("_w", [255]),
            ("A", nil), ("AAAAA", nil), ("AB", nil), ("AAB", nil), ("+/8", nil), ("AA==", nil), ("A A", nil),
            ("AA\n", nil),
        ] as [(String, [UInt8]?)])
    func base64(_ text: String, _ bytes: [UInt8]?) {
        #expect(Base64.decode(text.utf8, alphabet: .url) == bytes)
    }
}
