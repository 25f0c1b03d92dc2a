import ClerkAuth
import Testing
import TollgateCore

/// What is compared only when it is configured, and where the plan is found.
@Suite struct ClaimCheckTests {
    @Test(
        arguments: [
            (#""https://clerk.example.com""#, nil), (#""https://clerk.example.com.evil""#, .issuerInvalid),
            (nil, .issuerInvalid), ("7", .issuerInvalid), (#""https://clerk.example.com/""#, .issuerInvalid),
        ] as [(String?, AuthenticationFailure.Reason?)])
    func issuer(_ claim: String?, _ refusal: AuthenticationFailure.Reason?) async throws {
        let token = try await TestToken(claims: ["iss": claim]).signed()
        #expect(try await pemAuthenticator().refusal(of: token) == nil)
        let authenticator = try pemAuthenticator { $0.issuer = "https://clerk.example.com" }
        #expect(await authenticator.refusal(of: token) == refusal)
    }

    @Test func aPastedIssuerMayEndWithASlash() throws {
        let configuration = ClerkConfiguration(keySource: .pem(""), issuer: "https://clerk.example.com/")
        #expect(configuration.issuer == "https://clerk.example.com")
    }

    @Test(
        arguments: [
            (#""https://example.com""#, nil), (#""https://app.example.com""#, nil),
            (#""https://evil.example""#, .authorizedPartyInvalid), (nil, .authorizedPartyInvalid),
            (#"["https://example.com"]"#, .authorizedPartyInvalid), ("null", .authorizedPartyInvalid),
        ] as [(String?, AuthenticationFailure.Reason?)])
    func authorizedParty(_ claim: String?, _ refusal: AuthenticationFailure.Reason?) async throws {
        let token = try await TestToken(claims: ["azp": claim]).signed()
        #expect(try await pemAuthenticator().refusal(of: token) == nil)
        let authenticator = try pemAuthenticator {
            $0.authorizedParties = ["https://app.example.com", "https://example.com"]
        }
        #expect(await authenticator.refusal(of: token) == refusal)
    }

    @Test(
        arguments: [
            (#""api""#, nil), (#"["other","api"]"#, nil), (#"["other"]"#, .audienceInvalid),
            (#""other""#, .audienceInvalid), ("[]", .audienceInvalid), (nil, .audienceInvalid), ("1", .audienceInvalid),
        ] as [(String?, AuthenticationFailure.Reason?)])
    func audience(_ claim: String?, _ refusal: AuthenticationFailure.Reason?) async throws {
        let token = try await TestToken(claims: ["aud": claim]).signed()
        #expect(try await pemAuthenticator().refusal(of: token) == nil)
        let authenticator = try pemAuthenticator { $0.audiences = ["api"] }
        #expect(await authenticator.refusal(of: token) == refusal)
    }

    @Test(
        arguments: [
            (["plan": #""paid""#], "paid"),
            (["metadata": #"{"plan":"paid"}"#], "paid"),
            (["public_metadata": #"{"plan":"paid"}"#], "paid"),
            (["publicMetadata": #"{"plan":"paid"}"#], "paid"),
            (["plan": #""a""#, "metadata": #"{"plan":"b"}"#, "public_metadata": #"{"plan":"c"}"#], "a"),
            (["metadata": #"{"plan":"b"}"#, "public_metadata": #"{"plan":"c"}"#], "b"),
            (["public_metadata": #"{"plan":"c"}"#, "publicMetadata": #"{"plan":"d"}"#], "c"),
            (["plan": "1", "metadata": #"{"plan":null}"#, "publicMetadata": #"{"plan":"d"}"#], "d"),
            (["plan": #""""#, "metadata": #"{"plan":"b"}"#], "b"),
            (["plan": #"["paid"]"#], nil),
            (["plan": "true", "metadata": #""paid""#, "public_metadata": "[]", "publicMetadata": "null"], nil),
            ([:], nil),
        ] as [([String: String], String?)])
    func plan(_ claims: [String: String], _ plan: String?) async throws {
        let token = try await TestToken(claims: claims.mapValues { $0 }).signed()
        #expect(try await pemAuthenticator().authenticate(token: token).claimedPlan == plan)
    }
}
