import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// Quotas that run with what is paid for, from the checkout to the calls: with a worker, a redis-server and what Stripe
/// sends.
@Suite(.timeLimit(.minutes(6))) struct SubscriptionPeriodTests {
    private static let plans = """
        plans:
          free: { quota: 5 }
          paid: { quota: 50 }
          pro: { quota: 4, period: subscription, priceIds: [price_pro, price_pro_year] }
          max: { quota: 100, period: subscription, priceId: price_max }
        """

    private static func withShop(
        settings: [String: String] = [:], _ body: @escaping @Sendable (Market) async throws -> Void
    ) async throws {
        try await withMarket(settings: settings, plans: plans, body)
    }

    /// What a call costs and leaves: its `usage`, with the outcome beside it.
    private static func call(_ market: Market, _ user: String = "user_abc") async throws -> Calls {
        let answer = try await HTTP.verify(try market.token(user, plan: nil), port: market.port)
        let body = try #require(JSON(parsing: answer.body.utf8))
        let usage = body["usage"].members == nil ? body : body["usage"]
        return Calls(
            status: answer.status, count: usage["count"].integer, limit: usage["limit"].integer,
            plan: usage["plan"].string, first: usage["periodStart"].string, last: usage["periodEnd"].string)
    }

    private struct Calls: Equatable {
        var status = 200
        let count: Int64?
        let limit: Int64?
        let plan: String?
        let first: String?
        let last: String?
    }

    private static func set(_ market: Market, _ text: String) throws {
        market.time.set(try #require(UnixTime(iso8601: text)))
    }

    private static func id(_ market: Market, of user: String = "user_abc") throws -> String {
        try #require(market.subscription(of: user)?["id"].string)
    }

    @Test func boughtUsedAndRenewed() async throws {
        try await Self.withShop { market in
            let free = try await Self.call(market)
            #expect(free == Calls(count: 1, limit: 5, plan: "free", first: "2025-11-01", last: "2025-11-30"))
            try await market.buy("user_abc", tier: "pro")
            for count: Int64 in 1...2 {
                let calls = try await Self.call(market)
                #expect(calls == Calls(count: count, limit: 4, plan: "pro", first: "2025-11-26", last: "2025-12-26"))
            }
            let token = try market.token("user_abc", plan: nil)
            let usage = try await HTTP.send(
                "GET", "/usage", port: market.port, headers: [("Authorization", "Bearer \(token)")])
            let told = try #require(JSON(parsing: usage.body.utf8))["usage"]
            #expect(told["resetsAt"] == "2025-12-26T23:00:00Z" && told["period"] == "subscription", "\(usage.body)")
            #expect(usage.headers["ratelimit-policy"] == #""minute";q=100;w=60, "month";q=4;w=2592000"#)
            #expect(usage.headers["ratelimit"]?.hasSuffix(#""month";r=2;t=2592000"#) == true)
            let account = try await HTTP.send(
                "GET", "/account", port: market.port, headers: [("Authorization", "Bearer \(token)")])
            #expect(JSON(parsing: account.body.utf8)?["usage"]["resetsAt"] == "2025-12-26T23:00:00Z")
            let explained = try await HTTP.get("/explain/user_abc", port: market.gateways[0].adminPort)
            #expect(explained.body.contains("2 of 4 calls are used until 2025-12-26 23:00 UTC"), "\(explained.body)")

            // The month ends, and nothing else does.
            try Self.set(market, "2025-12-01T00:00:00Z")
            let december = try await Self.call(market)
            #expect(december.count == 3 && december.first == "2025-11-26")

            // The renewal comes a day late.
            try Self.set(market, "2025-12-27T23:00:00Z")
            let late = try await Self.call(market)
            #expect(late == Calls(count: 4, limit: 4, plan: "pro", first: "2025-11-26", last: "2025-12-26"))
            let refused = try await HTTP.verify(try market.token("user_abc", plan: nil), port: market.port)
            #expect(refused.status == 403 && refused.headers["retry-after"] == "60", "it is awaited")
            try market.stripe.collect(try Self.id(market), succeeds: true)
            try await market.webhooksAreDone()
            let renewed = try await Self.call(market)
            #expect(renewed == Calls(count: 1, limit: 4, plan: "pro", first: "2025-12-26", last: "2026-01-25"))
        }
    }

    @Test func anUpgradeKeepsTheCount() async throws {
        try await Self.withShop { market in
            try await market.buy("user_abc", tier: "pro")
            for _ in 1...4 { _ = try await Self.call(market) }
            let usedUp = try await Self.call(market)
            #expect(usedUp.status == 403 && usedUp.count == 4)
            market.time.advance(seconds: 10 * 86_400)
            try market.stripe.setPrices(of: try Self.id(market), to: ["price_max"])
            try await market.webhooksAreDone()
            let upgraded = try await Self.call(market)
            #expect(upgraded == Calls(count: 5, limit: 100, plan: "max", first: "2025-11-26", last: "2025-12-26"))
            try market.stripe.setPrices(of: try Self.id(market), to: ["price_pro"])
            try await market.webhooksAreDone()
            let back = try await Self.call(market)
            #expect(back.status == 403 && back.count == 5 && back.limit == 4)
        }
    }

    @Test func aYearHasMonths() async throws {
        try await Self.withShop { market in
            func moment(_ text: String) throws -> JSON {
                .integer(try #require(UnixTime(iso8601: text)).seconds)
            }
            var subscription = Market.subscription(prices: ["price_pro_year"])
            let start = try moment("2025-10-31T10:00:00Z")
            subscription["billing_cycle_anchor"] = start
            subscription["items"]["data"] = [
                [
                    "price": ["id": "price_pro_year"], "current_period_start": start,
                    "current_period_end": try moment("2026-10-31T10:00:00Z"),
                ]
            ]
            market.stripe.put(subscription: subscription)
            let answer = try await market.deliver(
                Market.event("customer.subscription.created", subscription, created: market.time.now()))
            #expect(answer.status == 200)
            for (time, first, last) in [
                ("2025-11-26T23:00:00Z", "2025-10-31", "2025-11-30"),
                ("2025-11-30T10:00:00Z", "2025-11-30", "2025-12-31"),
                ("2025-12-31T09:59:59Z", "2025-11-30", "2025-12-31"),
                ("2026-01-01T00:00:00Z", "2025-12-31", "2026-01-31"),
                ("2026-02-27T00:00:00Z", "2026-01-31", "2026-02-28"),
                ("2026-03-30T00:00:00Z", "2026-02-28", "2026-03-31"),
                // The renewal of the year is late.
                ("2026-11-01T00:00:00Z", "2026-09-30", "2026-10-31"),
            ] {
                try Self.set(market, time)
                let calls = try await Self.call(market)
                let count: Int64 = time.hasPrefix("2025-12-31") ? 2 : 1
                #expect(calls == Calls(count: count, limit: 4, plan: "pro", first: first, last: last), "\(time)")
            }
        }
    }

    /// Stripe goes on to the next period although it is not paid; the quota does not.
    @Test func whatIsOwedBringsNoNewQuota() async throws {
        try await Self.withShop(settings: ["STRIPE_PAST_DUE_GRACE_DAYS": "3"]) { market in
            for user in ["user_abc", "user_def"] {
                try await market.buy(user, tier: "pro")
                for _ in 1...3 { _ = try await Self.call(market, user) }
            }
            try Self.set(market, "2025-12-26T23:00:00Z")
            for user in ["user_abc", "user_def"] {
                try market.stripe.collect(try Self.id(market, of: user), succeeds: false)
                try await market.webhooksAreDone()
                let owed = try await Self.call(market, user)
                #expect(owed == Calls(count: 4, limit: 4, plan: "pro", first: "2025-11-26", last: "2025-12-26"))
                let refused = try await Self.call(market, user)
                #expect(refused.status == 403)
            }
            try Self.set(market, "2025-12-28T00:00:00Z")
            try market.stripe.collect(try Self.id(market), succeeds: true)
            try await market.webhooksAreDone()
            let paid = try await Self.call(market)
            #expect(paid == Calls(count: 1, limit: 4, plan: "pro", first: "2025-12-26", last: "2026-01-25"))
            // Nobody pays for the other.
            try Self.set(market, "2025-12-29T23:00:00Z")
            let free = try await Self.call(market, "user_def")
            #expect(free == Calls(count: 1, limit: 5, plan: "free", first: "2025-12-01", last: "2025-12-31"))
        }
    }

    @Test func plansThatAreChangedBackAndForthBringNoQuota() async throws {
        try await Self.withShop { market in
            _ = try await Self.call(market)
            try await market.buy("user_abc", tier: "pro")
            _ = try await Self.call(market)
            var counts: [Int64?] = []
            for price in ["price_paid", "price_pro", "price_paid", "price_max", "price_pro"] {
                try market.stripe.setPrices(of: try Self.id(market), to: [price])
                try await market.webhooksAreDone()
                let calls = try await Self.call(market)
                #expect(calls.first == (price == "price_paid" ? "2025-11-01" : "2025-11-26"))
                counts.append(calls.count)
            }
            // The checkout was a call of the month, too.
            #expect(counts == [3, 2, 4, 3, 4])
            // Another month of the calendar, and still the same of the subscription.
            try Self.set(market, "2025-12-02T00:00:00Z")
            let usedUp = try await Self.call(market)
            #expect(usedUp.status == 403 && usedUp.count == 4)
            try market.stripe.cancel(try Self.id(market))
            try await market.webhooksAreDone()
            let free = try await Self.call(market)
            #expect(free == Calls(count: 1, limit: 5, plan: "free", first: "2025-12-01", last: "2025-12-31"))
        }
    }
}
