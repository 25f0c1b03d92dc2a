import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// A refused call costs nothing, whatever it is refused for and however late.
@Suite(.timeLimit(.minutes(6))) struct RefusedCallsTests {
    /// Of `user_abc`, as `GET /usage` tells it.
    private func used(_ market: Market) async throws -> Int {
        let answer = try await market.call("GET", "/usage", "user_abc")
        let count = answer.body.components(between: #""count":"#, and: ",").flatMap { Int($0) }
        return try #require(count, "\(answer.body)")
    }

    /// A call that is refused so, and what it leaves behind.
    private func expectFree(
        _ market: Market, _ method: String, _ path: String, body: String? = nil, status: Int, code: String
    ) async throws {
        let before = try await used(market)
        let answer = try await market.call(method, path, "user_abc", body: body)
        #expect(answer.status == status, "\(method) \(path): \(answer.body)")
        #expect(answer.member("code") == code, "\(method) \(path): \(answer.body)")
        let after = try await used(market)
        #expect(after == before, "\(method) \(path) \(code)")
        if let remaining = answer.headers["ratelimit"]?.components(between: #""month";r="#, and: ";") {
            let usage = try await market.call("GET", "/usage", "user_abc")
            #expect(usage.body.contains("\"remaining\":\(remaining)}"), "what the refusal tells is so")
        }
    }

    @Test func whatIsNotThereCostsNothing() async throws {
        try await withMarket { market in
            try await expectFree(market, "GET", "/get-credentials", status: 404, code: "credentials-not-generated")
            try await expectFree(market, "POST", "/billing-portal", status: 404, code: "billing-account-not-found")
            try await expectFree(
                market, "POST", "/create-checkout", body: #"{"tier":"gold"}"#, status: 400, code: "unknown-tier")
            try await expectFree(market, "POST", "/create-checkout", body: "gold", status: 400, code: "bad-request")
            try await expectFree(
                market, "POST", "/generate-credentials", body: String(repeating: "x", count: 70_000), status: 413,
                code: "body-too-large")
            let made = try await market.call("POST", "/generate-credentials", "user_abc")
            #expect(made.body.contains(#""count":1,"#), "and what is done is charged")
            let used = try await used(market)
            #expect(used == 1)
        }
    }

    @Test func aSecondSubscriptionCostsNothing() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            try await expectFree(market, "POST", "/create-checkout", status: 409, code: "already-subscribed")
        }
    }

    @Test func billingThatIsNotConfiguredCostsNothing() async throws {
        let settings = ["STRIPE_SECRET_KEY": "", "STRIPE_WEBHOOK_SECRET": "", "FRONTEND_URL": ""]
        try await withMarket(settings: settings) { market in
            try await expectFree(market, "POST", "/create-checkout", status: 501, code: "billing-not-configured")
            try await expectFree(market, "POST", "/billing-portal", status: 501, code: "billing-not-configured")
        }
    }

    @Test(arguments: [
        (Fault.status(402), 502, "payment-provider-refused"), (.status(500), 503, "payment-provider-unavailable"),
        (.stall(.seconds(30)), 504, "payment-provider-unavailable"),
    ])
    func whatStripeRefusesCostsNothing(fault: Fault, status: Int, code: String) async throws {
        try await withMarket { market in
            market.stripe.faults.inject(fault, times: 10)
            try await expectFree(market, "POST", "/create-checkout", status: status, code: code)
        }
    }

    /// The key has another type than the endpoint needs, as when an operator has mistaken it.
    @Test func whatRedisFailsAtAfterTheAdmissionCostsNothing() async throws {
        try await withMarket { market in
            _ = try await withRedisClient(market.redis.patientConfiguration) { redis in
                try await redis.send("LPUSH user:{user_abc}:platformId x")
            }
            try await expectFree(market, "POST", "/generate-credentials", status: 503, code: "service-unavailable")
        }
    }

    @Test func theLastCallOfAMonthIsNotLostToARefusal() async throws {
        try await withMarket { market in
            for _ in 1...4 { _ = try await market.verify("user_abc") }
            try await expectFree(market, "GET", "/get-credentials", status: 404, code: "credentials-not-generated")
            let last = try await market.verify("user_abc")
            #expect(last.status == 200)
            let checkout = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(checkout.status == 200, "a checkout is never refused for the quota")
        }
    }
}

extension String {
    /// What stands between the first `start` and the next `end`.
    fileprivate func components(between start: String, and end: Character) -> String? {
        guard let range = firstRange(of: start) else { return nil }
        return String(self[range.upperBound...].prefix { $0 != end })
    }
}
