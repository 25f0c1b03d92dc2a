import Hiredis
import RedisClient
import TestSupport
import Testing

/// Credentials on routes: what is refused, what it costs, and how guessing is slowed down.
@Suite struct ProxyKeyTests {
    private static let routes = """
        - {name: any, path: /, upstreams: "{upstream}"}
        - {name: tokens, path: /tokens, auth: jwt, upstreams: "{upstream}"}
        - {name: keys, path: /keys-only, auth: key, upstreams: "{upstream}"}
        - {name: scoped, path: /scoped, scopes: ["orders:read"], upstreams: "{upstream}"}
        - {name: public, path: /public, auth: none, upstreams: "{upstream}"}
        """

    private func withGateway(_ body: @escaping @Sendable (RoutedGateway) async throws -> Void) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream, body)
    }

    /// All commands that read or write what is stored.
    /// Those that a request may send. The worker's own reports send HSET, EXPIRE and some others.
    private static func commands(_ redis: RedisClient) async throws -> Int {
        var sum = 0
        for name in ["evalsha", "eval", "get", "set", "mget", "hget", "hmget", "hgetall", "incr"] {
            sum += try await redis.calls(of: name)
        }
        return sum
    }

    private static let unknownPlatformKey = "pk_live_" + String(repeating: "0", count: 64)

    @Test func aKeyThatNobodyMadeLeavesNoTrace() async throws {
        try await withGateway { gateway in
            _ = try await gateway.makeKey()
            try await withRedisClient(gateway.local.redis.configuration) { redis in
                func names() async throws -> [String] {
                    // The worker tells of itself whenever its time has come.
                    try #require(try await redis.send("KEYS *").array).compactMap(\.string)
                        .filter { !$0.hasPrefix("worker") && !$0.hasPrefix("topusers") && $0 != "users" }.sorted()
                }
                let before = try await names()
                let invented = [
                    try KeyedGateways.inventedKey(), try KeyedGateways.inventedKey(of: "user_abc"),
                    Self.unknownPlatformKey,
                ]
                for key in invented {
                    for field in ["X-API-Key: \(key)", "Authorization: Bearer \(key)"] {
                        let answer = try await gateway.ask(.request(fields: "\(field)\r\n"))
                        #expect(answer.status == 401 && answer.code == "key-unknown", "\(answer.text)")
                        #expect(answer.fields["ratelimit"] == nil && !answer.text.contains("user_"))
                    }
                }
                let after = try await names()
                #expect(after == before)
            }
            gateway.expectsNothingAtUpstream("keys that were never made")
        }
    }

    @Test func whatIsNoKeyCostsNoCommand() async throws {
        try await withGateway { gateway in
            let key = try await gateway.makeKey().text
            try await withRedisClient(gateway.local.redis.configuration) { redis in
                try await redis.send("CONFIG RESETSTAT")
                let wrong = [
                    (KeyedGateways.mistyped(key), "key-checksum-mismatch"), ("sk_live_abc", "key-malformed"),
                    ("pk_live_abc", "key-malformed"), ("nonsense", "key-malformed"),
                ]
                for (text, code) in wrong {
                    let answer = try await gateway.ask(.request(fields: "X-API-Key: \(text)\r\n"))
                    #expect(answer.status == 401 && answer.code == code, "\(answer.text)")
                }
                let none = try await Self.commands(redis)
                #expect(none == 0)
                let good = try await gateway.ask(.request(fields: "X-API-Key: \(key)\r\n"))
                #expect(good.status == 200)
                let one = try await Self.commands(redis)
                #expect(one > 0)
            }
        }
    }

    @Test func revokedAndExpiredKeysAreRefusedAtOnce() async throws {
        try await withGateway { gateway in
            let revoked = try await gateway.makeKey()
            let expiring = try await gateway.makeKey(#""name":"t","expiresAt":"2025-11-26T23:00:30Z""#)
            for key in [revoked, expiring] {
                let answer = try await gateway.ask(.request(fields: "X-API-Key: \(key.text)\r\n"))
                #expect(answer.status == 200)
            }
            _ = try await HTTP.send(
                "DELETE", "/keys/\(revoked.id)", port: gateway.port,
                headers: [("Authorization", try gateway.bearer())])
            gateway.time.advance(seconds: 30)
            for (key, code) in [(revoked, "key-revoked"), (expiring, "key-expired")] {
                let answer = try await gateway.ask(.request(fields: "X-API-Key: \(key.text)\r\n"))
                #expect(answer.status == 401 && answer.code == code, "\(answer.text)")
            }
            #expect(gateway.upstream.received.ranges(of: "GET /a ").count == 2)
        }
    }

    @Test func aKeyNeedsTheRoutesScopesAndATokenHasThem() async throws {
        try await withGateway { gateway in
            let scopes = [(#"["orders:read"]"#, 200), (#"["*"]"#, 200), (#"["orders:write"]"#, 403), ("[]", 403)]
            for (list, status) in scopes {
                let key = try await gateway.makeKey(#""name":"t","scopes":\#(list)"#)
                let answer = try await gateway.ask(.request("GET /scoped", fields: "X-API-Key: \(key.text)\r\n"))
                #expect(answer.status == status, "\(list): \(answer.text)")
                #expect(answer.code == (status == 403 ? "scope-missing" : nil))
            }
            let token = try await gateway.ask(
                .request("GET /scoped", fields: "Authorization: \(try gateway.bearer())\r\n"))
            #expect(token.status == 200)
        }
    }

    @Test func aRouteTakesTheCredentialsThatItNames() async throws {
        try await withGateway { gateway in
            let key = "X-API-Key: \(try await gateway.makeKey().text)\r\n"
            let token = "Authorization: \(try gateway.bearer())\r\n"
            let requests = [
                ("/tokens", token, 200), ("/tokens", key, 401), ("/keys-only", key, 200), ("/keys-only", token, 401),
                // A second time, when the worker knows both.
                ("/tokens", key, 401), ("/keys-only", token, 401),
            ]
            for (path, credential, status) in requests {
                let answer = try await gateway.ask(.request("GET \(path)", fields: credential))
                #expect(answer.status == status, "\(path): \(answer.text)")
                #expect(answer.code == (status == 401 ? "credential-not-accepted" : nil), "\(path)")
                if status == 401 { #expect(answer.fields["www-authenticate"] != nil) }
            }
        }
    }

    @Test func whereNobodyIsAskedRedisIsNot() async throws {
        try await withGateway { gateway in
            try await withRedisClient(gateway.local.redis.configuration) { redis in
                try await redis.send("CONFIG RESETSTAT")
                for fields in ["", "X-API-Key: \(try KeyedGateways.inventedKey())\r\n", "Authorization: nonsense\r\n"] {
                    let answer = try await gateway.ask(.request("GET /public", fields: fields))
                    #expect(answer.status == 200 && answer.fields["ratelimit"] == nil)
                }
                let none = try await Self.commands(redis)
                #expect(none == 0)
            }
        }
    }

    @Test(arguments: ["secret", "platform"])
    func guessingIsSlowedDown(kind: String) async throws {
        try await withGateway { gateway in
            let guess = kind == "secret" ? try KeyedGateways.inventedKey() : Self.unknownPlatformKey
            let known = "X-API-Key: \(try await gateway.makeKey().text)\r\n"
            let unused = "X-API-Key: \(try await gateway.makeKey().text)\r\n"
            let before = try await gateway.ask(.request(fields: known))
            #expect(before.status == 200)
            for number in 1...30 {
                let answer = try await gateway.ask(.request(fields: "X-API-Key: \(guess)\r\n"))
                #expect(answer.status == 401 && answer.code == "key-unknown", "\(number): \(answer.text)")
            }
            try await withRedisClient(gateway.local.redis.configuration) { redis in
                try await redis.send("CONFIG RESETSTAT")
                for fields in ["X-API-Key: \(guess)\r\n", unused] {
                    let answer = try await gateway.ask(.request(fields: fields))
                    #expect(answer.status == 429 && answer.code == "too-many-failed-keys", "\(answer.text)")
                    #expect(answer.fields["retry-after"] == "60")
                }
                let none = try await Self.commands(redis)
                #expect(none == 0, "Redis is spared")
            }
            let managing = try await gateway.ask(.request("GET /keys", fields: "X-API-Key: \(guess)\r\n"))
            #expect(managing.status == 429, "\(managing.text)")
            let metrics = try await HTTP.get("/metrics", port: gateway.local.adminPort).body
            #expect(metrics.contains(#"tollgate_authentication_failures_total{reason="too-many-failed-keys"} 3"#))
            for fields in [known, "Authorization: \(try gateway.bearer())\r\n"] {
                let answer = try await gateway.ask(.request(fields: fields))
                #expect(answer.status == 200, "\(answer.text)")
            }
            gateway.time.advance(seconds: 60)
            let again = try await gateway.ask(.request(fields: "X-API-Key: \(guess)\r\n"))
            #expect(again.status == 401 && again.code == "key-unknown")
            let late = try await gateway.ask(.request(fields: unused))
            #expect(late.status == 200)
        }
    }
}
