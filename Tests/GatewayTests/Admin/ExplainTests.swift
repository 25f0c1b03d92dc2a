import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// `GET /explain/{userId}`. The time is 2025-11-26T23:00:00Z.
@Suite struct ExplainTests {
    private static let plans = "plans:\n  free: { quota: 3, ratePerMinute: 5 }\n  paid: { quota: 500 }\n"

    /// Writes a user's subscription as an operator would, by hand.
    private static func subscribe(_ user: String, _ fields: String, in gateways: ObservedGateways) async throws {
        _ = try await withRedisClient(gateways.redis.configuration) { redis in
            try await redis.send("HSET subscription:{\(user)} \(fields)")
        }
    }

    @Test func aUserOfTheFreePlan() async throws {
        try await withObservedGateways(yaml: Self.plans) { gateways in
            try await gateways.verify("user_abc", plan: nil)
            let explanation = try await gateways.explain("user_abc")
            #expect(
                explanation["usage"] == [
                    "count": 1, "limit": 3, "plan": "free", "periodStart": "2025-11-01", "periodEnd": "2025-11-30",
                    "remaining": 2, "resetsAt": "2025-12-01T00:00:00Z", "period": "calendar",
                ])
            #expect(explanation["minute"] == ["count": 1, "limit": 5, "remaining": 4, "resetSeconds": 60])
            #expect(
                explanation["nextCall"] == [
                    "isAdmitted": true, "code": .null, "passesAt": .null,
                    "message": "It is admitted: 1 of 3 calls are used until 2025-11-30 and 1 of 5 in this minute.",
                ])
            #expect(explanation["plan"]["name"].string == "free")
            #expect(explanation["plan"]["source"].string == "last-seen")
            #expect(explanation["subscription"] == .null)
            #expect(explanation["openReservations"] == 0)
            #expect(explanation["keys"] == ["count": 0, "lastUsedAt": .null])
            #expect(explanation["lastAdmittedAt"].string == "2025-11-26T23:00:00Z")
        }
    }

    @Test func lookingChangesNothing() async throws {
        try await withObservedGateways { gateways in
            try await gateways.verify("user_abc")
            let first = try await gateways.explain("user_abc")
            for _ in 1...150 { _ = try await gateways.explain("user_abc") }
            let last = try await gateways.explain("user_abc")
            #expect(last == first)
        }
    }

    @Test func refusalsAreForetold() async throws {
        try await withObservedGateways(yaml: Self.plans) { gateways in
            for _ in 1...4 { try await gateways.verify("user_abc") }
            let usedUp = try await gateways.explain("user_abc")["nextCall"]
            #expect(usedUp["code"].string == "quota-exceeded")
            #expect(usedUp["passesAt"].string == "2025-12-01T00:00:00Z")
            let next = try await gateways.verify("user_abc")
            #expect(next == 403)

            try await Self.subscribe("user_def", "plan paid status active", in: gateways)
            for _ in 1...100 { try await gateways.verify("user_def") }
            let full = try await gateways.explain("user_def")["nextCall"]
            #expect(full["code"].string == "rate-limit-exceeded")
            #expect(full["isAdmitted"] == false)
            #expect(full["passesAt"].string == "2025-11-26T23:01:00Z")
            let refused = try await gateways.verify("user_def")
            #expect(refused == 429)

            // Both limits: who waits for the minute meets the quota.
            try await Self.subscribe("user_def", "status canceled", in: gateways)
            let both = try await gateways.explain("user_def")["nextCall"]
            #expect(both["code"].string == "rate-limit-exceeded")
            #expect(both["passesAt"].string == "2025-12-01T00:00:00Z")
        }
    }

    /// Each case is what Redis says of the subscription, the plan that counts, and what the reason says.
    @Test(arguments: [
        ("plan paid status active", "paid", "An operator has given 'paid'."),
        ("plan paid status trialing", "paid", "The subscription is trialing, which grants 'paid'."),
        (
            "plan paid status canceled", "free",
            "The subscription is canceled, which grants nothing, so 'free' counts."
        ),
        (
            "plan paid status past_due pastDueSince 2025-11-25T10:00:00Z", "paid",
            "A payment has been owed since 2025-11-25 10:00 UTC; 'paid' stays until 2025-12-02 10:00 UTC."
        ),
        (
            "plan paid status past_due pastDueSince 2025-11-10T10:00:00Z", "free",
            "A payment has been owed since 2025-11-10 10:00 UTC, and the grace was over at 2025-11-17 10:00 UTC, so "
                + "'free' counts."
        ),
        (
            "plan gold status past_due pastDueSince 2025-11-10T10:00:00Z planAfterGrace paid", "paid",
            "A payment has been owed since 2025-11-10 10:00 UTC, and the grace was over at 2025-11-17 10:00 UTC, so "
                + "'paid' counts."
        ),
        (
            "plan paid status past_due", "free",
            "A payment is owed, and it is not recorded since when, so 'free' counts."
        ),
        (
            "plan paid status past_due pastDueSince 9999-12-31", "free",
            "A payment is owed, and it is not recorded since when, so 'free' counts."
        ),
        (
            "plan paid status past_due pastDueSince 9999-12-31T00:00:00Z", "paid",
            "A payment has been owed since 9999-12-31 00:00 UTC; 'paid' stays until 9999-12-31 23:59 UTC."
        ),
        (
            "plan gold status active", "free",
            "An operator has given 'gold'. The plan table has no 'gold', so 'free' counts in its "
                + "place; add it under 'plans' in tollgate.yaml."
        ),
    ])
    func subscriptionsAreExplained(fields: String, plan: String, reason: String) async throws {
        try await withObservedGateways { gateways in
            try await Self.subscribe("user_abc", fields, in: gateways)
            let explained = try await gateways.explain("user_abc")["plan"]
            #expect(explained["name"].string == plan)
            #expect(explained["reason"].string == reason)
            #expect(explained["source"].string == "subscription")
        }
    }

    @Test func tokensThatOutweighTheRecordAreToldOf() async throws {
        try await withObservedGateways { gateways in
            try await Self.subscribe("user_abc", "plan paid status active writtenAt 2025-11-26T22:00:00Z", in: gateways)
            let untold = try await gateways.explain("user_abc")["plan"]["tokens"].string
            #expect(
                untold == "No session token changes that, for Clerk has not been told of the subscription.")
            try await Self.subscribe("user_abc", "clerkUpdatedAt 2025-11-26T22:00:05Z", in: gateways)
            let told = try await gateways.explain("user_abc")["plan"]["tokens"].string
            #expect(
                told
                    == "A session token that claims a plan counts instead if it was issued after 2025-11-26 22:00 UTC.")
        }
    }

    @Test func keysAreCountedAndNotShown() async throws {
        try await withObservedGateways { gateways in
            let made = try await gateways.send("POST", "/keys", as: "user_abc", body: #"{"name":"CI"}"#)
            let (id, key) = (try #require(made.member("id")), try #require(made.member("key")))
            _ = try await gateways.send("POST", "/keys", as: "user_abc", body: #"{"name":"old","expiresInDays":1}"#)
            _ = try await HTTP.send("POST", "/verify-auth", port: gateways.port(), headers: [("X-API-Key", key)])
            gateways.time.advance(seconds: 2 * 86_400)
            let answer = try await gateways.get("/explain/user_abc")
            #expect(answer.body.contains(#""keys":{"count":1,"lastUsedAt":"2025-11-26T23:00:00Z"}"#), "\(answer.body)")
            let hash = try await withRedisClient(gateways.redis.configuration) { redis in
                try await redis.send("HGET key:{user_abc}:{\(id)} hash").string
            }
            #expect(!answer.body.contains(try #require(hash)))
            #expect(!answer.body.contains("sk_"))
        }
    }

    @Test func openReservationsAreCounted() async throws {
        try await withObservedGateways { gateways in
            try await gateways.verify("user_abc")
            _ = try await withRedisClient(gateways.redis.configuration) { redis in
                try await redis.send("ZADD reservations:{user_abc} 20251126230100 one")
            }
            let explanation = try await gateways.explain("user_abc")
            #expect(explanation["openReservations"] == 1)
        }
    }

    @Test func nobodyIsMadeUp() async throws {
        try await withObservedGateways { gateways in
            let unknown = try await gateways.get("/explain/user_nobody")
            #expect(unknown.status == 404)
            #expect(unknown.member("code") == "user-not-found")
            for id in ["a%7Bb", "%", "a%20b", "a%2Fb", String(repeating: "a", count: 129)] {
                let answer = try await gateways.get("/explain/\(id)")
                #expect(answer.status == 400, "\(id)")
                #expect(answer.member("code") == "bad-request", "\(id)")
                #expect(answer.member("message")?.contains("128 letters") == true, "\(id)")
            }
            // Ids of other providers, as browsers write them in a path.
            try await gateways.verify("auth0|5f7c8ec7")
            let other = try await gateways.explain("auth0%7C5f7c8ec7")
            #expect(other["userId"].string == "auth0|5f7c8ec7")
        }
    }
}
