import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev

/// Every way in which a caller can fail to say who they are: the right status, a stable code, and nothing counted.
@Suite struct CredentialTests {
    private static let header: JSON = ["alg": "RS256", "typ": "JWT", "kid": "ins_development"]

    private static func claims(
        subject: JSON = "user_abc", issued: Int64 = 1_764_198_000, issuer: JSON = "https://identity.test"
    ) -> JSON {
        [
            "sub": subject, "iss": issuer, "iat": .integer(issued), "nbf": .integer(issued - 10),
            "exp": .integer(issued + 60),
        ]
    }

    private struct Case: Sendable {
        let name: String
        let code: String
        let token: @Sendable (DevelopmentIdentity) throws -> String
    }

    private static let cases: [Case] = [
        Case(name: "alg none", code: "token-invalid-algorithm") {
            try $0.sign(header: ["alg": "none", "typ": "JWT"], claims: claims(), with: .none)
        },
        Case(name: "HS256 with the public key as secret", code: "token-invalid-algorithm") {
            try $0.sign(
                header: ["alg": "HS256", "typ": "JWT"], claims: claims(), with: .hs256(secret: $0.publicKeyPEM))
        },
        Case(name: "HS256 called RS256", code: "token-invalid-signature") {
            try $0.sign(header: header, claims: claims(), with: .hs256(secret: $0.publicKeyPEM))
        },
        Case(name: "expired", code: "token-expired") {
            try $0.sign(header: header, claims: claims(issued: 1_764_198_000 - 66))
        },
        Case(name: "from the future", code: "token-not-active-yet") {
            try $0.sign(header: header, claims: claims(issued: 1_764_198_000 + 60))
        },
        Case(name: "another issuer", code: "token-invalid-issuer") {
            try $0.sign(header: header, claims: claims(issuer: "https://evil.example"))
        },
        Case(name: "user with braces", code: "token-invalid") {
            try $0.sign(header: header, claims: claims(subject: "a}:{b"))
        },
        Case(name: "user with a space", code: "token-invalid") {
            try $0.sign(header: header, claims: claims(subject: "a b"))
        },
        Case(name: "user with a newline", code: "token-invalid") {
            try $0.sign(header: header, claims: claims(subject: "a\nSET x y"))
        },
        Case(name: "9 KB long", code: "token-invalid") {
            try $0.sign(header: header, claims: claims(subject: .string(String(repeating: "a", count: 9000))))
        },
        Case(name: "not base64", code: "token-invalid") { _ in "a.b!.c" },
        Case(name: "one part", code: "token-invalid") { _ in "abc" },
        Case(name: "machine token", code: "token-invalid") { _ in "oat_abcdef" },
    ]

    @Test func badTokensAreRefusedAndCostNothing() async throws {
        try await withLocalGateway { gateway in
            for bad in Self.cases {
                let answer = try await HTTP.verify(try bad.token(gateway.identity), port: gateway.port)
                #expect(answer.status == 401, "\(bad.name)")
                #expect(answer.member("error") == "Authentication failed", "\(bad.name)")
                #expect(answer.member("code") == bad.code, "\(bad.name): \(answer.body)")
                #expect(answer.member("message")?.isEmpty == false, "\(bad.name)")
                #expect(answer.headers["www-authenticate"] == #"Bearer error="invalid_token""#)
            }
            let answer = try await gateway.verify("user_abc")
            #expect(answer.body.contains(#""count":1,"#))
            let metrics = try await HTTP.get("/metrics", port: gateway.adminPort).body
            #expect(metrics.contains(#"tollgate_authentication_failures_total{reason="token-invalid-algorithm"} 2"#))
        }
    }

    @Test(arguments: [
        ([], 401, "session-token-missing"),
        ([""], 401, "session-token-missing"),
        (["Bearer "], 401, "session-token-missing"),
        (["Digest username=a"], 401, "session-token-missing"),
        // A way to present a key, and `user` is none.
        (["Basic dXNlcjpwYXNz"], 401, "key-malformed"),
        (["Bearer a.b.c", "Bearer a.b.c"], 400, "duplicate-authorization"),
    ])
    func headersThatCarryNoToken(values: [String], status: Int, code: String) async throws {
        try await withLocalGateway { gateway in
            let answer = try await HTTP.send(
                "POST", "/verify-auth", port: gateway.port, headers: values.map { ("Authorization", $0) })
            #expect(answer.status == status)
            #expect(answer.member("code") == code)
        }
    }

    @Test func theSchemesNameIsCaseInsensitive() async throws {
        try await withLocalGateway { gateway in
            let token = try gateway.token("user_abc")
            let answer = try await HTTP.send(
                "POST", "/verify-auth", port: gateway.port, headers: [("authorization", "bearer \(token)")])
            #expect(answer.status == 200)
        }
    }

    /// Networkless verification has one key; with a key set an unknown name is refused by its name.
    @Test func unknownKeysAreRefused() async throws {
        let identityServer = try await ScriptedServer { _ in
            .sayAndHangUp("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        }
        let settings = [
            "CLERK_JWT_KEY": "", "CLERK_JWKS_URL": "http://127.0.0.1:\(identityServer.port)/jwks.json",
        ]
        try await withLocalGateway(settings: settings, becomesReady: false) { gateway in
            let answer = try await gateway.verify("user_abc")
            #expect(answer.status == 503, "no key was ever loaded: the caller should come again")
            #expect(answer.member("code") == "jwk-failed-to-load")
            #expect(answer.headers["retry-after"] == "1")
        }
        try await identityServer.close()
    }
}
