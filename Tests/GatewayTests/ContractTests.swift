import TestSupport
import Testing
import TollgateCore

/// The HTTP contract of front-auth-api, word for word.
@Suite struct ContractTests {
    @Test func usageIsCountedAndRefusedAtTheLimit() async throws {
        try await withLocalGateway { gateway in
            let first = try await gateway.verify("user_abc")
            #expect(first.status == 200)
            #expect(
                first.body == #"{"success":true,"userId":"user_abc","usage":{"count":1,"limit":5,"plan":"free","#
                    + #""periodStart":"2025-11-01","periodEnd":"2025-11-30","remaining":4}}"#)
            #expect(first.headers["content-type"] == "application/json")
            for _ in 2...5 {
                let answer = try await gateway.verify("user_abc")
                #expect(answer.status == 200)
            }
            let sixth = try await gateway.verify("user_abc")
            #expect(sixth.status == 403)
            let requestID = try #require(sixth.headers["x-request-id"])
            #expect(
                sixth.body == #"{"error":"Tier limit reached","count":5,"limit":5,"plan":"free","#
                    + #""periodStart":"2025-11-01","periodEnd":"2025-11-30","#
                    + #""message":"Please upgrade to unlock more requests","code":"quota-exceeded","#
                    + #""requestId":"\#(requestID)"}"#)
            // 2025-11-26T23:00:00Z to 2025-12-01T00:00:00Z
            #expect(sixth.headers["retry-after"] == "349200")
            let paid = try await gateway.verify("user_abc", plan: "paid")
            #expect(paid.status == 200)
            #expect(paid.body.contains(#""count":6,"limit":500,"plan":"paid""#))
        }
    }

    /// The line for giving a user a plan by hand, from the guide Selling.
    @Test func recordedSubscriptionsWinOverOlderClaims() async throws {
        try await withLocalGateway { gateway in
            for _ in 1...5 { _ = try await gateway.verify("user_abc") }
            try await withRedisClient(gateway.redis.configuration) { redis in
                try await redis.send("HSET subscription:{user_abc} plan paid status active")
                let paid = try await gateway.verify("user_abc")
                #expect(paid.status == 200)
                #expect(paid.body.contains(#""count":6,"limit":500,"plan":"paid""#))
                try await redis.send("HSET subscription:{user_abc} status canceled")
                let cancelled = try await gateway.verify("user_abc")
                #expect(cancelled.status == 403)
            }
        }
    }

    @Test func rateIsLimitedByTheClockMinute() async throws {
        try await withLocalGateway { gateway in
            gateway.time.advance(seconds: 20)
            for _ in 1...100 {
                let answer = try await gateway.verify("user_abc", plan: "paid")
                #expect(answer.status == 200)
            }
            let refused = try await gateway.verify("user_abc", plan: "paid")
            #expect(refused.status == 429)
            #expect(refused.member("error") == "Rate limit exceeded. Try again in 1 minute.")
            #expect(refused.member("code") == "rate-limit-exceeded")
            #expect(refused.headers["retry-after"] == "40")
            #expect(refused.headers["ratelimit"] == #""minute";r=0;t=40, "month";r=400;t=349180"#)
            let other = try await gateway.verify("user_def", plan: "paid")
            #expect(other.status == 200)
            gateway.time.advance(seconds: 40)
            let later = try await gateway.verify("user_abc", plan: "paid")
            #expect(later.body.contains(#""count":101"#))
        }
    }

    @Test func monthsRollOver() async throws {
        try await withLocalGateway { gateway in
            for _ in 1...5 { _ = try await gateway.verify("user_abc") }
            gateway.time.set(UnixTime(milliseconds: 1_764_547_199_999))
            let before = try await gateway.verify("user_abc")
            #expect(before.status == 403)
            #expect(before.headers["retry-after"] == "1")
            gateway.time.set(UnixTime(seconds: 1_764_547_200))
            let after = try await gateway.verify("user_abc")
            #expect(after.status == 200)
            #expect(
                after.body.contains(
                    #""count":1,"limit":5,"plan":"free","periodStart":"2025-12-01","periodEnd":"2025-12-31""#))
        }
    }

    @Test func bothLimitsStandInTheHeaders() async throws {
        try await withLocalGateway { gateway in
            let answer = try await gateway.verify("user_abc")
            #expect(answer.headers["ratelimit-policy"] == #""minute";q=100;w=60, "month";q=5;w=2592000"#)
            #expect(answer.headers["ratelimit"] == #""minute";r=99;t=60, "month";r=4;t=349200"#)
            #expect(answer.headers["x-ratelimit-limit"] == "5")
            #expect(answer.headers["x-ratelimit-remaining"] == "4")
            #expect(answer.headers["x-ratelimit-reset"] == "349200")
            #expect(answer.headers["retry-after"] == nil)
        }
    }

    @Test func unmeteredAnswers() async throws {
        try await withLocalGateway(settings: ["FRONTEND_URL": "https://app.example.com"]) { gateway in
            let health = try await HTTP.get("/health", port: gateway.port)
            #expect(health.status == 200)
            #expect(health.body == #"{"status":"ok"}"#)

            let missing = try await HTTP.get("/nothing", port: gateway.port)
            #expect(missing.status == 404)
            #expect(missing.member("error") == "Not found")
            #expect(missing.member("code") == "not-found")

            let wrongMethod = try await HTTP.get("/verify-auth", port: gateway.port)
            #expect(wrongMethod.status == 405)
            #expect(wrongMethod.headers["allow"] == "POST, OPTIONS")

            let tooLarge = try await HTTP.send(
                "POST", "/verify-auth", port: gateway.port, body: String(repeating: "x", count: 65_537))
            #expect(tooLarge.status == 413)
            #expect(tooLarge.member("code") == "body-too-large")

            for path in ["/verify-auth", "/nothing"] {
                let preflight = try await HTTP.send("OPTIONS", path, port: gateway.port)
                #expect(preflight.status == 204)
                #expect(preflight.body.isEmpty)
                // front-auth-api's GET, POST, OPTIONS and Content-Type, Authorization, and what keys need.
                #expect(preflight.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE, OPTIONS")
                #expect(
                    preflight.headers["access-control-allow-headers"]
                        == "Content-Type, Authorization, X-API-Key, Idempotency-Key")
                #expect(preflight.headers["access-control-max-age"] == "86400")
            }
        }
    }

    @Test(arguments: [
        (nil, "https://app.example.com"),
        ("https://app.example.com", "https://app.example.com"),
        ("https://admin.example.com", "https://admin.example.com"),
        ("https://pr-7.preview.example.com", "https://pr-7.preview.example.com"),
        ("https://pr.7.preview.example.com", "https://app.example.com"),
        ("https://evil.example", "https://app.example.com"),
        ("https://app.example.com.evil.example", "https://app.example.com"),
        ("null", "https://app.example.com"),
    ])
    func originsAreToldApart(origin: String?, allowed: String) async throws {
        let settings = [
            "FRONTEND_URL": "https://app.example.com/", "CORS_ORIGINS": "https://admin.example.com",
            "CORS_ORIGIN_PATTERNS": "https://*.preview.example.com",
        ]
        try await withLocalGateway(settings: settings) { gateway in
            for path in ["/health", "/nothing", "/verify-auth"] {
                let answer = try await HTTP.get(
                    path, port: gateway.port, headers: origin.map { [("Origin", $0)] } ?? [])
                #expect(answer.headers["access-control-allow-origin"] == allowed)
                #expect(answer.headers["vary"] == "Origin")
            }
        }
    }
}
