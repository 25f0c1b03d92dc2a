import ClerkAuth
import Testing
import TollgateCore

/// What operators paste.
@Suite struct ConfigurationTests {
    @Test func aPEMInEachForm() async throws {
        let pem = try TestKey.first.publicPEM
        let token = try await TestToken().signed()
        let forms = [
            pem, pem + "\n\n", "  " + pem,
            pem.split(separator: "\n").joined(separator: "\r\n"),
            pem.split(separator: "\n").joined(separator: "\\n"),
            pem.split(separator: "\n").joined(separator: "\\n") + "\\n",
            pem.split(separator: "\n").joined(separator: " "),
            pem.split(separator: "\n").joined(),
        ]
        for form in forms {
            let authenticator = try pemAuthenticator { $0.keySource = .pem(form) }
            #expect(await authenticator.refusal(of: token) == nil)
        }
    }

    @Test(arguments: [
        "", "nonsense", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        // An elliptic curve's key.
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\n"
            + "q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----",
    ])
    func aBadPEMIsRefusedByName(_ text: String) {
        let problem = #expect(throws: ClerkConfigurationProblem.self) {
            try pemAuthenticator { $0.keySource = .pem(text) }
        }
        #expect(problem?.description.hasPrefix("CLERK_JWT_KEY ") == true)
    }

    @Test func aPrivateKeyIsRefusedAndNotRepeated() {
        let problem = #expect(throws: ClerkConfigurationProblem.self) {
            try pemAuthenticator { $0.keySource = .pem(TestKeyPEM.first) }
        }
        #expect(problem?.description.contains("MII") == false)
    }

    @Test func keysOverHTTPNeedAClient() {
        #expect(throws: ClerkConfigurationProblem.self) {
            try pemAuthenticator { $0.keySource = .jwks(url: "https://clerk.example.com", bearerSecret: nil) }
        }
    }

    @Test func publishableKey() throws {
        let live = try PublishableKey("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k")
        #expect(live.isLive)
        #expect(live.host == "clerk.example.com")
        #expect(live.issuer == "https://clerk.example.com")
        #expect(live.jwksURL == "https://clerk.example.com/.well-known/jwks.json")

        let test = try PublishableKey("pk_test_Zmlyc3QtZm94LTEyLmNsZXJrLmFjY291bnRzLmRldiQ")
        #expect(!test.isLive)
        #expect(test.host == "first-fox-12.clerk.accounts.dev")
        #expect(try PublishableKey("pk_test_Zmlyc3QtZm94LTEyLmNsZXJrLmFjY291bnRzLmRldiQ=") == test)
    }

    @Test(arguments: [
        "", "pk_live_", "sk_live_Y2xlcmsuZXhhbXBsZS5jb20k", "pk_prod_Y2xlcmsuZXhhbXBsZS5jb20k",
        "pk_live_Y2xlcmsuZXhhbXBsZS5jb20", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k_x",
        "pk_live_!", "pk_live_JA", "pk_live_YSQ",
        "pk_live_YS5iL3gk", "pk_live_YUBiLmMk", "pk_live_YS5iJCQ", "pk_live_Y2xl=cmsu",
    ])
    func noPublishableKey(_ text: String) {
        #expect(throws: ClerkConfigurationProblem.self) { try PublishableKey(text) }
    }

    @Test func theBestSourceOfThoseConfigured() throws {
        typealias Source = ClerkConfiguration.KeySource
        let key = try PublishableKey("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k")
        let mine = "https://keys.example.com/jwks"
        #expect(Source.firstConfigured() == nil)
        #expect(
            Source.firstConfigured(pem: "p", jwksURL: mine, publishableKey: key, secretKey: "s") == .pem("p"))
        #expect(
            Source.firstConfigured(jwksURL: mine, publishableKey: key, secretKey: "s")
                == .jwks(url: mine, bearerSecret: nil))
        #expect(
            Source.firstConfigured(jwksURL: "https://api.clerk.com/v1/jwks", secretKey: "s")
                == .jwks(url: "https://api.clerk.com/v1/jwks", bearerSecret: "s"))
        #expect(
            Source.firstConfigured(jwksURL: "https://api.clerk.com.evil/v1/jwks", secretKey: "s")
                == .jwks(url: "https://api.clerk.com.evil/v1/jwks", bearerSecret: nil))
        #expect(
            Source.firstConfigured(publishableKey: key, secretKey: "s")
                == .jwks(url: "https://clerk.example.com/.well-known/jwks.json", bearerSecret: nil))
        #expect(
            Source.firstConfigured(apiURL: "http://127.0.0.1:9", secretKey: "s")
                == .jwks(url: "http://127.0.0.1:9/v1/jwks", bearerSecret: "s"))
    }
}
