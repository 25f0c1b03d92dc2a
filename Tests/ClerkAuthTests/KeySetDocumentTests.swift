import ClerkAuth
import NIOCore
import Testing
import TollgateCore

/// What the endpoint may answer.
@Suite struct KeySetDocumentTests {
    @Test(arguments: [
        "", "nonsense", "{}", "[]", "null", #"{"keys":null}"#, #"{"keys":{}}"#, #"{"keys":[]}"#,
        #"{"keys":[null,1,"x",[],{}]}"#, #"{"keys":[{"kty":"RSA","kid":"ins_1","n":"!","e":"AQAB"}]}"#,
        #"{"keys":[{"kty":"RSA","kid":"ins_1","n":"","e":""}]}"#,
        #"{"keys":[{"kty":"RSA","kid":"ins_1","n":"AQAB","e":"AQAB"}]}"#,
        #"{"keys":[{"kty":"RSA","kid":"ins_1"}]}"#, #"{"keys":[{"kty":"oct","kid":"ins_1","k":"AQAB"}]}"#,
    ])
    func noKeys(_ body: String) async throws {
        try await withJWKS(body) { server, authenticator, _ in
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == .keysUnavailable)
            #expect(server.requestCount == 1)
        }
    }

    @Test func entriesOfOtherKindsAreLeftOut() async throws {
        let first = TestKey.first
        let body = keySet(
            "null", "1", #"{"kty":7}"#, #"{"kty":"EC","kid":"ins_1","crv":"P-256","x":"AA","y":"AA"}"#,
            #"{"kty":"OKP","kid":"ins_1","crv":"Ed25519","x":"AA"}"#, #"{"kty":"oct","kid":"ins_1","k":"AA"}"#,
            try first.jwk("encryption", members: #""use":"enc""#),
            try first.jwk("other", members: #""alg":"RS512""#),
            try first.jwk("bare", members: #""x5c":["AA"]"#),
            try first.jwk("ins_1"), try TestKey.second.jwk("ins_1"))
        try await withJWKS(body) { _, authenticator, _ in
            for (name, refusal) in [
                ("ins_1", nil), ("bare", nil), ("encryption", .keyUnknown), ("other", .keyUnknown),
            ] as [(String, AuthenticationFailure.Reason?)] {
                let token = try await TestToken(header: ["kid": "\"\(name)\""]).signed()
                #expect(await authenticator.refusal(of: token) == refusal)
            }
        }
    }

    @Test func aBodyOfMoreThanAMegabyteIsRefused() async throws {
        let padding = #"{"kty":"oct","k":"\#(String(repeating: "k", count: KeySetEndpoint.maximumBodyBytes))"}"#
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"), padding)) { _, authenticator, _ in
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == .keysUnavailable)
        }
    }

    @Test func anAnswerThatNeverEndsIsGivenUp() async throws {
        let body = keySet(try TestKey.first.jwk("ins_1"))
        try await JWKSServer.with(JWKSServer.Answer(body: body, isStalled: true)) { server, url in
            let endpoint = KeySetEndpoint(
                url: url, bearerSecret: nil, httpClient: testClient, timeout: .milliseconds(200))
            await #expect(throws: (any Error).self) { try await endpoint.load() }
            #expect(server.requestCount == 1)
            #expect(server.lastAuthorization == nil)
        }
    }

    @Test func nobodyListensThere() async throws {
        let url = try await JWKSServer.with(JWKSServer.Answer()) { _, url in url }
        let endpoint = KeySetEndpoint(url: url, bearerSecret: nil, httpClient: testClient)
        await #expect(throws: (any Error).self) { try await endpoint.load() }
    }
}
