import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// Calls with secret keys: who they are counted for, and how soon a word about a key is effective.
@Suite struct KeyCallTests {
    @Test func aKeyIsTakenInAllThreeWaysEverywhere() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey(of: "user_abc", plan: "paid").text
            _ = try await gateways.send("POST", "/verify-auth", plan: "paid")
            let ways = [
                ("Authorization", "Bearer \(key)"), ("X-API-Key", key),
                ("authorization", KeyedGateways.basic("\(key):").replacing("Basic", with: "basic")),
            ]
            let requests = [
                ("POST", "/verify-auth", nil), ("POST", "/verify-auth", "a body leads to the control plane"),
                ("GET", "/authorize/x", nil), ("POST", "/authorize", "a body"), ("POST", "/generate-credentials", nil),
                ("GET", "/get-credentials", nil),
            ]
            var count = 1
            for (method, path, body) in requests {
                for way in ways {
                    let answer = try await HTTP.send(
                        method, path, port: gateways.ports[0].publicPort, headers: [way], body: body)
                    count += 1
                    #expect(answer.status == 200, "\(method) \(path) \(way.0): \(answer.body)")
                    #expect(answer.headers["x-ratelimit-limit"] == "100")
                    if path.hasPrefix("/authorize") {
                        #expect(answer.headers["x-tollgate-user"] == "user_abc")
                    } else {
                        #expect(answer.body.contains(#""count":\#(count),"limit":500,"plan":"paid""#), "\(answer.body)")
                    }
                }
            }
            // The Authorization beside a key may be meant for the upstream.
            let both = try await HTTP.send(
                "POST", "/verify-auth", port: gateways.ports[0].publicPort,
                headers: [("Authorization", "Bearer of.something.else"), ("X-API-Key", key)])
            #expect(both.member("userId") == "user_abc")
        }
    }

    /// What is no credential does not become one because a worker has seen its text in another field.
    @Test func aKeyKnownFromOneFieldIsNotTakenFromAnother() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey().text
            let ways = [("X-API-Key", key), ("Authorization", "Bearer \(key)")]
            let swapped = [("Authorization", key), ("X-API-Key", "Bearer \(key)")]
            for way in ways + ways {
                let answer = try await HTTP.send(
                    "POST", "/verify-auth", port: gateways.ports[0].publicPort, headers: [way])
                #expect(answer.status == 200, "\(way.0): \(answer.body)")
                for wrong in swapped {
                    let refused = try await HTTP.send(
                        "POST", "/verify-auth", port: gateways.ports[0].publicPort, headers: [wrong])
                    #expect(refused.status == 401, "\(wrong.0) after \(way.0): \(refused.body)")
                }
            }
        }
    }

    @Test func aRevokedKeyIsRefusedByEveryGatewayAtOnce() async throws {
        try await withKeyedGateways(2) { gateways in
            let key = try await gateways.makeKey()
            for gateway in 0...1 {
                let before = try await gateways.call(key.text, on: gateway)
                #expect(before.status == 200)
            }
            let revoked = try await gateways.send("DELETE", "/keys/\(key.id)", on: 0)
            #expect(revoked.status == 200)
            for (gateway, body) in [(1, nil), (1, "a body leads to the control plane"), (0, nil)] {
                let after = try await gateways.call(key.text, on: gateway, body: body)
                #expect(after.status == 401)
                #expect(after.member("error") == "Authentication failed")
                #expect(after.member("code") == "key-revoked")
                #expect(after.headers["www-authenticate"] == #"Bearer error="invalid_token""#)
                #expect(after.headers["ratelimit"] == nil, "its owner's limits are not told")
            }
            let metrics = try await gateways.metrics(of: 1)
            #expect(metrics.contains(#"tollgate_authentication_failures_total{reason="key-revoked"} 2"#))
            let usage = try await gateways.send("GET", "/usage")
            #expect(usage.body.contains(#""count":2,"#), "refused calls cost nothing")
        }
    }

    @Test func aRotatedSecretWorksUntilTheOverlapEnds() async throws {
        try await withKeyedGateways(2) { gateways in
            let key = try await gateways.makeKey()
            _ = try await gateways.call(key.text)
            let answer = try await gateways.send("POST", "/keys/\(key.id)/rotate", body: #"{"overlapSeconds":60}"#)
            let next = try #require(answer.member("key"))
            gateways.time.advance(seconds: 59)
            for secret in [key.text, next] {
                let during = try await gateways.call(secret, on: 1)
                #expect(during.status == 200)
            }
            gateways.time.advance(seconds: 1)
            let over = try await gateways.call(key.text, on: 1)
            #expect(over.status == 401)
            #expect(over.member("code") == "key-expired")
            let after = try await gateways.call(next, on: 1)
            #expect(after.status == 200)
        }
    }

    @Test func aKeyEndsWhenItWasToldTo() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey(#""name":"CI","expiresAt":"2025-11-26T23:00:30Z""#)
            gateways.time.advance(seconds: 29)
            let before = try await gateways.call(key.text)
            #expect(before.status == 200)
            gateways.time.advance(seconds: 1)
            for body in [nil, "a body"] {
                let after = try await gateways.call(key.text, body: body)
                #expect(after.status == 401)
                #expect(after.member("code") == "key-expired")
            }
        }
    }

    @Test func tokensAndKeysShareOneQuotaAndRotationMintsNothing() async throws {
        try await withKeyedGateways(2) { gateways in
            let (one, two) = (try await gateways.makeKey(), try await gateways.makeKey(#""name":"t","mode":"test""#))
            for (count, secret) in [one.text, two.text, one.text].enumerated() {
                let answer = try await gateways.call(secret, on: count % 2)
                #expect(answer.body.contains(#""count":\#(count + 1),"limit":5,"#))
            }
            for _ in 1...2 {
                let answer = try await gateways.send("POST", "/verify-auth")
                #expect(answer.status == 200)
            }
            let rotated = try await gateways.send("POST", "/keys/\(one.id)/rotate")
            let third = try await gateways.makeKey()
            for secret in [one.text, two.text, third.text, try #require(rotated.member("key"))] {
                let answer = try await gateways.call(secret)
                #expect(answer.status == 403)
                #expect(answer.member("code") == "quota-exceeded")
            }
        }
    }

    /// A key that is good for little must not fetch or make one that is good for everything.
    @Test func whatAKeyMayNotDoItDoesNotDoByAnotherName() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey(#""name":"CI","scopes":["read"]"#)
            let verified = try await gateways.call(key.text)
            #expect(verified.status == 200)
            for (method, path) in [("POST", "/generate-credentials"), ("GET", "/get-credentials")] {
                let answer = try await gateways.call(key.text, method, path)
                #expect(answer.status == 403, "\(path)")
                #expect(answer.member("error") == "Forbidden")
                #expect(answer.member("code") == "scope-missing")
                #expect(
                    answer.member("message") == "The key does not have the scope 'credentials'. Use one that has it.")
                #expect(answer.headers["www-authenticate"] == #"Bearer error="insufficient_scope""#)
            }
            let metrics = try await gateways.metrics()
            #expect(metrics.contains(#"tollgate_authentication_failures_total{reason="scope-missing"} 2"#))
        }
    }

    @Test func anInventedKeyLeavesNothingInRedis() async throws {
        try await withKeyedGateways { gateways in
            let real = try await gateways.makeKey()
            try await withRedisClient(gateways.redis.configuration) { redis in
                // All but what the worker tells of itself from time to time.
                func names() async throws -> [String] {
                    try #require(try await redis.send("KEYS *").array).compactMap(\.string)
                        .filter { !$0.hasPrefix("worker") && !$0.hasPrefix("topusers:") && $0 != "users" }.sorted()
                }
                let before = try await names()
                #expect(!before.isEmpty)
                let invented = [
                    try KeyedGateways.inventedKey(), try KeyedGateways.inventedKey(of: "user_abc"),
                    "pk_live_" + String(repeating: "0", count: 64),
                ]
                for key in invented {
                    for (method, path) in [("POST", "/verify-auth"), ("GET", "/get-credentials"), ("GET", "/usage")] {
                        let answer = try await gateways.call(key, method, path)
                        #expect(answer.status == 401)
                        #expect(answer.member("code") == "key-unknown")
                        #expect(!answer.body.contains("user_"))
                    }
                }
                let after = try await names()
                #expect(after == before)
                gateways.time.advance(seconds: 60)
                _ = try await gateways.call(real.text)
                let used = try await names()
                #expect(used.count == before.count + 2, "a key that is good leaves the count of its minute and day")
            }
            let metrics = try await gateways.metrics()
            #expect(metrics.contains(#"tollgate_authentication_failures_total{reason="key-unknown"} 9"#))
        }
    }

    @Test func aMistypedKeyCostsNoCommand() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey().text
            let mistyped = KeyedGateways.mistyped(key)
            let commands = ["evalsha", "eval", "get", "hget", "hmget", "hgetall"]
            func calls(_ redis: RedisClient) async throws -> Int {
                var sum = 0
                for command in commands { sum += try await redis.calls(of: command) }
                return sum
            }
            try await withRedisClient(gateways.redis.configuration) { redis in
                try await redis.send("CONFIG RESETSTAT")
                for (secret, code) in [(mistyped, "key-checksum-mismatch"), ("sk_live_abc", "key-malformed")] {
                    for (method, path) in [("POST", "/verify-auth"), ("GET", "/get-credentials"), ("GET", "/usage")] {
                        let answer = try await gateways.call(secret, method, path)
                        #expect(answer.status == 401)
                        #expect(answer.member("code") == code)
                        #expect(answer.headers["www-authenticate"] == #"Bearer error="invalid_token""#)
                    }
                }
                let none = try await calls(redis)
                #expect(none == 0)
                _ = try await gateways.call(key)
                let some = try await calls(redis)
                #expect(some > 0, "a good one does cost some")
            }
            let metrics = try await gateways.metrics()
            #expect(metrics.contains(#"tollgate_authentication_failures_total{reason="key-checksum-mismatch"} 3"#))
        }
    }

    @Test func platformKeysWorkAndStopAtOnce() async throws {
        try await withKeyedGateways(2) { gateways in
            let made = try await gateways.send("POST", "/generate-credentials")
            let key = try #require(made.member("apiKey"))
            // The first call looks the owner up, the second remembers.
            for (count, gateway) in [0, 0, 1].enumerated() {
                let answer = try await gateways.call(key, on: gateway)
                #expect(answer.status == 200)
                #expect(answer.member("userId") == "user_abc")
                #expect(answer.body.contains(#""count":\#(count + 2),"#))
            }
            let again = try await gateways.send("GET", "/get-credentials", on: 1)
            #expect(again.member("apiKey") == key)
            try await withRedisClient(gateways.redis.configuration) { redis in
                _ = try await redis.send("DEL user:{user_abc}:apiKey")
            }
            for gateway in 0...1 {
                let answer = try await gateways.call(key, on: gateway)
                #expect(answer.status == 401)
                #expect(answer.member("code") == "key-unknown")
            }
        }
    }

    @Test func platformsAreNamed() async throws {
        try await withKeyedGateways { gateways in
            let made = try await gateways.send("POST", "/generate-credentials")
            let key = try #require(made.member("apiKey"))
            let answer = try await HTTP.get(
                "/authorize", port: gateways.ports[0].publicPort, headers: [("X-API-Key", key)])
            #expect(answer.status == 200)
            #expect(answer.headers["x-tollgate-platform"] == made.member("platformId"))
        }
    }

    @Test func twoKeysAreOneTooMany() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey().text
            let answer = try await HTTP.send(
                "POST", "/verify-auth", port: gateways.ports[0].publicPort,
                headers: [("X-API-Key", key), ("X-API-Key", key)])
            #expect(answer.status == 400)
            #expect(answer.member("code") == "duplicate-authorization")
            #expect(answer.member("message") == "Send one X-API-Key header, not several.")
        }
    }

    @Test func withoutRedisAKeyIsNeitherGoodNorBad() async throws {
        try await withKeyedGateways { gateways in
            let keys = [
                try await gateways.makeKey().text, "pk_live_" + String(repeating: "0", count: 64),
            ]
            let headers = try gateways.bearer("user_abc")
            await gateways.redis.stop()
            for key in keys {
                for (method, path) in [("POST", "/verify-auth"), ("GET", "/usage")] {
                    let answer = try await gateways.call(key, method, path)
                    #expect(answer.status == 503, "\(path)")
                    #expect(answer.member("code") == "service-unavailable")
                    #expect(answer.headers["retry-after"] == "1")
                }
            }
            let listed = try await HTTP.get("/keys", port: gateways.ports[0].publicPort, headers: headers)
            #expect(listed.status == 503)
        }
    }
}
