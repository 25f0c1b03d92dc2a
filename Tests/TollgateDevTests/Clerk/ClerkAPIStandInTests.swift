import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev

@Suite(.timeLimit(.minutes(6)))
struct ClerkAPIStandInTests {
    private func withClerk(
        isStrict: Bool = false, secretKey: String? = nil,
        _ body: (ClerkAPIStandIn, APIClient, StandInTime) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity(directory: directory, issuer: "http://127.0.0.1:4001")
            var configuration = ClerkAPIStandIn.Configuration()
            configuration.isStrict = isStrict
            configuration.secretKey = secretKey
            let time = StandInTime()
            try await withRunning { onRunning in
                ClerkAPIStandIn(
                    configuration: configuration, identity: identity, time: time, logger: standInLogger,
                    onRunning: { onRunning($0) })
            } _: { clerk, url in
                try await body(clerk, APIClient(url: url, headers: ["Authorization": "Bearer sk_test_1"]), time)
            }
        }
    }

    private func update(_ api: APIClient, _ body: String, user: String = "user_1") async throws -> APIClient.Answer {
        try await api.send("PATCH", "/v1/users/\(user)/metadata", body: body, type: "application/json")
    }

    @Test
    func metadataIsMergedAtAnyDepth() async throws {
        try await withClerk { clerk, api, time in
            clerk.addUser(
                id: "user_1",
                publicMetadata: ["plan": "free", "kept": 1, "deep": ["a": 1, "b": ["c": 2, "d": 3]], "list": [1, 2]])
            time.advance(milliseconds: 1_500)
            let answer = try await update(
                api,
                #"""
                {"public_metadata":{"plan":"paid","deep":{"a":null,"b":{"c":null,"e":{"f":null,"g":"é"}}},"list":[3]},
                 "private_metadata":{"stripeCustomerId":"cus_1"}}
                """#)
            #expect(answer.status == 200)
            let expected: [String: JSON] = [
                "plan": "paid", "kept": 1, "deep": ["b": ["d": 3, "e": ["g": "é"]]], "list": [3],
            ]
            #expect(clerk.publicMetadata(of: "user_1") == expected)
            #expect(answer.json["public_metadata"] == JSON(expected))
            #expect(answer.json["private_metadata"] == ["stripeCustomerId": "cus_1"])
            #expect(answer.json["updated_at"].integer == time.now().milliseconds)
            let read = try await api.get("/v1/users/user_1")
            #expect(read.json == answer.json)

            let removal = try await update(api, #"{"public_metadata":{"plan":null,"absent":null}}"#)
            #expect(removal.json["public_metadata"]["plan"] == .null)
            #expect(clerk.publicMetadata(of: "user_1")?.keys.sorted() == ["deep", "kept", "list"])
            #expect(clerk.updates.map(\.user) == ["user_1", "user_1"])
            #expect(clerk.updates.last?.body == ["public_metadata": ["plan": nil, "absent": nil]])
        }
    }

    @Test(arguments: [
        (#"{"public_metadata":{},"plan":"paid"}"#, 422, "form_param_unknown"),
        (#"{"public_metadata":"paid"}"#, 422, "form_param_format_invalid"),
        (#"{"public_metadata":null}"#, 422, "form_param_format_invalid"),
        (#"[]"#, 400, "request_body_invalid"),
        (#"{"#, 400, "request_body_invalid"),
        (
            "{\"public_metadata\":{\"text\":\"\(String(repeating: "x", count: 8_192))\"}}", 422,
            "form_param_value_too_large"
        ),
    ])
    func refusesBodies(_ body: String, status: Int, code: String) async throws {
        try await withClerk { clerk, api, _ in
            let answer = try await update(api, body)
            #expect(answer.status == status)
            let error = try #require(answer.json["errors"].elements?.first)
            #expect(error["code"].string == code)
            #expect(error["message"].string?.isEmpty == false)
            #expect(error["long_message"].string?.isEmpty == false)
            #expect(answer.json["clerk_trace_id"].string?.count == 32)
            #expect(clerk.updates.isEmpty)
            #expect(clerk.publicMetadata(of: "user_1")?.isEmpty != false, "nothing was written")
        }
    }

    @Test
    func userIsUpdatedTenTimesInTenSeconds() async throws {
        try await withClerk { clerk, api, time in
            for _ in 1...10 {
                let answer = try await update(api, #"{"public_metadata":{}}"#)
                #expect(answer.status == 200)
            }
            time.advance(milliseconds: 3_001)
            let refused = try await update(api, #"{"public_metadata":{}}"#)
            #expect(refused.status == 429)
            #expect(refused.header("Retry-After") == "7")
            let other = try await update(api, #"{"public_metadata":{}}"#, user: "user_2")
            #expect(other.status == 200)
            time.advance(milliseconds: 6_999)
            let later = try await update(api, #"{"public_metadata":{}}"#)
            #expect(later.status == 200)
            #expect(clerk.updates.count == 12)
        }
    }

    @Test
    func usersAreMadeUpUnlessStrict() async throws {
        try await withClerk { clerk, api, _ in
            #expect(clerk.publicMetadata(of: "user_1") == nil)
            let read = try await api.get("/v1/users/user_1")
            #expect(read.status == 200)
            #expect(read.json["id"].string == "user_1")
            clerk.deleteUser(id: "user_1")
            let deleted = try await update(api, #"{"public_metadata":{}}"#)
            #expect(deleted.status == 404)
        }
        try await withClerk(isStrict: true) { clerk, api, _ in
            let unknown = try await api.get("/v1/users/user_1")
            #expect(unknown.status == 404)
            #expect(unknown.json["errors"].elements?.first?["code"].string == "resource_not_found")
            clerk.addUser(id: "user_1", publicMetadata: ["plan": "paid"])
            let known = try await api.get("/v1/users/user_1")
            #expect(known.json["public_metadata"] == ["plan": "paid"])
        }
    }

    @Test
    func wantsTheKey() async throws {
        try await withClerk(secretKey: "sk_test_1") { _, api, _ in
            for (key, code) in [
                (nil, "authorization_header_format_invalid"), ("Basic x", "authorization_header_format_invalid"),
                ("Bearer sk_test_2", "clerk_key_invalid"), ("Bearer sk_live_1", "clerk_key_invalid"),
            ] {
                var client = api
                client.headers["Authorization"] = key
                for path in ["/v1/users/user_1", "/v1/jwks"] {
                    let answer = try await client.get(path)
                    #expect(answer.status == 401)
                    #expect(answer.json["errors"].elements?.first?["code"].string == code)
                }
            }
            let route = try await api.get("/v1/nothing")
            #expect(route.status == 404)
            #expect(route.json["errors"].elements?.count == 1)
        }
    }

    @Test
    func failsOnDemand() async throws {
        try await withClerk { clerk, api, _ in
            clerk.faults.inject(.status(500), times: 2, pathPrefix: "/v1/users")
            clerk.faults.inject(.status(429, retryAfterSeconds: 4), pathPrefix: "/v1/users")
            clerk.faults.inject(.html(502), pathPrefix: "/v1/users")
            let keys = try await api.get("/v1/jwks")
            #expect(keys.status == 200)
            for status in [500, 500, 429, 502, 200] {
                let answer = try await api.get("/v1/users/user_1")
                #expect(answer.status == status)
                #expect(answer.header("Retry-After") == (status == 429 ? "4" : nil))
                #expect(answer.body.hasPrefix("<!doctype html>") == (status == 502))
            }
        }
    }

    /// A caller gives up on what hangs, and the stand-in still ends when it should.
    @Test
    func hangsOnDemand() async throws {
        try await withClerk { clerk, api, _ in
            clerk.faults.inject(.stall(.seconds(3_600)))
            await #expect(throws: (any Error).self) {
                _ = try await api.get("/v1/users/user_1", timeout: .milliseconds(100))
            }
            let next = try await api.get("/v1/users/user_1")
            #expect(next.status == 200)
        }
    }

    @Test
    func tokensCarryThePlanOfTheMetadata() async throws {
        try await withClerk { clerk, api, time in
            let keys = try await api.get("/v1/jwks")
            #expect(keys.json["keys"].elements?.first?["kid"].string == DevelopmentIdentity.keyID)
            let before = try clerk.token(user: "user_1", now: time.now())
            #expect(try plan(of: before) == .null)
            _ = try await update(api, #"{"public_metadata":{"plan":"paid"}}"#)
            let after = try clerk.token(user: "user_1", now: time.now())
            #expect(try plan(of: after) == "paid")
        }
    }

    /// The claim, unverified: DevelopmentIdentityTests verify what the identity signs.
    private func plan(of token: String) throws -> JSON {
        let payload = try #require(token.split(separator: ".").dropFirst().first)
        return try JSON.parsed(base64URL: String(payload))["plan"]
    }
}
