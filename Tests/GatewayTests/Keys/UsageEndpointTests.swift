import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// `GET /usage`.
@Suite struct UsageEndpointTests {
    @Test func lookingCostsNothing() async throws {
        try await withKeyedGateways { gateways in
            let newcomer = try await gateways.send("GET", "/usage", as: "user_new", plan: "paid")
            #expect(newcomer.status == 200)
            #expect(newcomer.body.contains(#""userId":"user_new","usage":{"count":0,"limit":500,"plan":"paid""#))
            let key = try await gateways.makeKey().text
            for _ in 1...2 { _ = try await gateways.call(key) }
            gateways.time.advance(seconds: 20)
            for _ in 1...150 {
                let answer = try await gateways.call(key, "GET", "/usage")
                #expect(answer.status == 200)
            }
            let expected =
                #"{"userId":"user_abc","usage":{"count":2,"limit":5,"plan":"free","periodStart":"2025-11-01","#
                + #""periodEnd":"2025-11-30","period":"calendar","resetsAt":"2025-12-01T00:00:00Z","remaining":3},"#
                + #""rateLimit":{"limit":100,"remaining":97,"resetSeconds":40}}"#
            let byKey = try await gateways.call(key, "GET", "/usage")
            #expect(byKey.body == expected, "the making of the key took a place, too")
            #expect(byKey.headers["ratelimit"] == #""minute";r=97;t=40, "month";r=3;t=349180"#)
            #expect(byKey.headers["content-type"] == "application/json")
            let byToken = try await gateways.send("GET", "/usage")
            #expect(byToken.body == expected)
            try await withRedisClient(gateways.redis.configuration) { redis in
                let record = try await redis.send("EXISTS usage:{user_new} ratelimit:{user_new}:29403300").integer
                #expect(record == 0, "looking leaves nothing behind")
            }
        }
    }

    @Test func itAnswersWhenEverythingIsUsedUp() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey().text
            for _ in 1...6 { _ = try await gateways.call(key) }
            let quota = try await gateways.call(key, "GET", "/usage")
            #expect(quota.status == 200)
            #expect(quota.body.contains(#""count":5,"limit":5,"#) && quota.body.contains(#""remaining":0}"#))
            for _ in 1...95 { _ = try await gateways.send("GET", "/keys") }
            let rate = try await gateways.send("GET", "/usage")
            #expect(rate.status == 200)
            #expect(rate.body.contains(#""rateLimit":{"limit":100,"remaining":0,"resetSeconds":60}"#), "\(rate.body)")
            #expect(rate.headers["retry-after"] == nil)
        }
    }

    @Test func whoIsNotLetInIsNotToldAnything() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey()
            _ = try await gateways.send("DELETE", "/keys/\(key.id)")
            for (secret, code) in [
                (key.text, "key-revoked"), (try KeyedGateways.inventedKey(of: "user_abc"), "key-unknown"),
            ] {
                let answer = try await gateways.call(secret, "GET", "/usage")
                #expect(answer.status == 401)
                #expect(answer.member("code") == code)
                #expect(answer.headers["ratelimit"] == nil)
            }
            let anonymous = try await HTTP.get("/usage", port: gateways.ports[0].publicPort)
            #expect(anonymous.status == 401)
            #expect(anonymous.member("code") == "session-token-missing")
        }
    }
}
