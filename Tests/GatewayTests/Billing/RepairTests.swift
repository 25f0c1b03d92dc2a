import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// Who pays is served, whatever became of the record, and whenever a plan ends by itself.
@Suite(.timeLimit(.minutes(6))) struct RepairTests {
    /// A market whose worker hears of nothing, and does not reconcile by itself.
    private static let deaf = ["STRIPE_WEBHOOK_SECRET": ""]
    private static let graceSeconds: Int64 = 7 * 86_400

    private func withDeafMarket(
        settings: [String: String] = [:], _ body: @escaping @Sendable (Market, RedisClient) async throws -> Void
    ) async throws {
        try await withMarket(
            settings: Self.deaf.merging(settings) { $1 }, plans: SubscriptionLifeTests.plans
        ) { market in
            try await withRedisClient(market.redis.configuration) { redis in try await body(market, redis) }
        }
    }

    /// A run of every five minutes, which asks Stripe for nothing but what is overdue.
    private func runSoon(_ market: Market, _ redis: RedisClient) async throws -> Int {
        try await redis.send("HSET reconciliation wentThroughAllAt \(market.time.now().iso8601)")
        market.stripe.faults.inject(.status(403), times: 1, pathPrefix: "/v1/events")
        return try await market.reconcile(isComplete: false).mended
    }

    @Test func aRecordThatIsGoneOrChangedIsMadeAnew() async throws {
        try await withDeafMarket { market, redis in
            try market.sell("price_paid", to: "user_abc")
            _ = try await market.reconcile()
            for change in ["DEL subscription:{user_abc}", "HSET subscription:{user_abc} status canceled"] {
                try await redis.send(change)
                #expect(try await market.plan(of: "user_abc") == "free")
                let found = try await market.reconcile()
                #expect(found.mended == 1, "\(change)")
                #expect(try await market.plan(of: "user_abc") == "paid", "\(change)")
            }
            let again = try await market.reconcile()
            #expect(again.mended == 0)
        }
    }

    /// No event tells that a plan by hand has ended: what is paid for counts at once.
    @Test func whatIsPaidForFollowsAPlanByHand() async throws {
        try await withDeafMarket { market, redis in
            let since = market.time.now().adding(seconds: 60 - Self.graceSeconds).iso8601
            for (user, isBoughtFirst) in [("user_first", true), ("user_later", false)] {
                if isBoughtFirst { try market.sell("price_paid", to: user) }
                if isBoughtFirst { _ = try await market.reconcile() }
                try await redis.send(
                    "HSET subscription:{\(user)} plan pro status past_due pastDueSince \(since)")
                if !isBoughtFirst { try market.sell("price_paid", to: user) }
                _ = try await market.reconcile()
                #expect(try await market.plan(of: user) == "pro", "\(user)")
            }
            market.time.advance(seconds: 61)
            for user in ["user_first", "user_later"] {
                #expect(try await market.plan(of: user) == "paid", "\(user)")
            }
        }
    }

    /// The whole record ends with its time to live, and the next run makes another.
    @Test func whatIsPaidForFollowsAPlanWithATimeToLive() async throws {
        try await withDeafMarket { market, redis in
            try await redis.send("HSET subscription:{user_abc} plan pro status active")
            try await redis.send("PEXPIRE subscription:{user_abc} 900")
            try market.sell("price_paid", to: "user_abc")
            _ = try await market.reconcile()
            try await eventually("it has ended") { try await redis.send("EXISTS subscription:{user_abc}").integer == 0 }
            market.time.advance(seconds: 5)
            #expect(try await runSoon(market, redis) == 1)
            #expect(try await market.plan(of: "user_abc") == "paid")
        }
    }

    /// When the grace of the better one is over, that of the other may not be.
    @Test func eachPaymentThatIsOwedHasItsGrace() async throws {
        try await withDeafMarket { market, redis in
            let better = try market.sell("price_pro", to: "user_abc")
            let other = try market.sell("price_paid", to: "user_abc")
            try market.stripe.collect(better, succeeds: false)
            _ = try await market.reconcile()
            market.time.advance(seconds: 6 * 86_400)
            try market.stripe.collect(other, succeeds: false)
            _ = try await market.reconcile()
            #expect(try await market.plan(of: "user_abc") == "pro")
            market.time.advance(seconds: 86_400 + 1)
            #expect(try await runSoon(market, redis) == 1)
            #expect(try await market.plan(of: "user_abc") == "paid")
            market.time.advance(seconds: Self.graceSeconds)
            #expect(try await market.plan(of: "user_abc") == "free")
        }
    }

    /// The grace runs from when the invoice was due, however late that is heard of.
    @Test func aLostFailureBringsNoFurtherGrace() async throws {
        try await withDeafMarket { market, redis in
            let id = try market.sell("price_paid", to: "user_abc")
            _ = try await market.reconcile()
            try market.stripe.collect(id, succeeds: false)
            market.time.advance(seconds: 5 * 86_400)
            _ = try await market.reconcile()
            #expect(try await market.plan(of: "user_abc") == "paid")
            market.time.advance(seconds: 2 * 86_400 + 1)
            #expect(try await market.plan(of: "user_abc") == "free")
        }
    }

    /// A price that the plan table learns of later gives its plan with the next run.
    @Test func aPriceThatBecomesKnownGivesItsPlan() async throws {
        try await withDeafMarket { market, redis in
            let id = try market.sell("price_paid", to: "user_abc")
            _ = try await market.reconcile()
            try market.stripe.setPrices(of: id, to: ["price_new"])
            _ = try await market.reconcile()
            #expect(try await market.plan(of: "user_abc") == "free")
            let overview = try await HTTP.get("/overview.json", port: market.gateways[0].adminPort).json["unpriced"]
            #expect(overview["count"].integer == 1 && overview["subscriptions"].elements == [.string(id)])
            let explained = try await market.admin("GET", "users/user_abc/explain").json["plan"]["reason"].string
            #expect(explained?.contains("price_new") == true && explained?.contains("priceIds") == true)

            try await redis.send("HSET reconciliation wentThroughAllAt \(market.time.now().iso8601)")
            market.stripe.faults.inject(.status(403), times: 1, pathPrefix: "/v1/events")
            let found = try await market.reconcile(
                isComplete: false, isForced: true, with: ["STRIPE_PRICE_ID": "price_new"])
            #expect(found.mended == 1)
            #expect(try await market.plan(of: "user_abc") == "paid")
            #expect(try await redis.send("EXISTS subscriptions:unpriced").integer == 0)
        }
    }

    /// An unpaid renewal does not bring back what was given back.
    @Test func aRefundedPlanWaitsForAPeriodThatIsPaid() async throws {
        let settings = ["STRIPE_ON_REFUND": "end"]
        try await withDeafMarket(settings: settings) { market, _ in
            let id = try market.sell("price_paid", to: "user_abc")
            _ = try await market.reconcile()
            try market.stripe.refund(id)
            _ = try await market.reconcile()
            #expect(try await market.plan(of: "user_abc") == "free")
            market.time.advance(seconds: 31 * 86_400)
            try market.stripe.collect(id, succeeds: false)
            _ = try await market.reconcile()
            #expect(try await market.plan(of: "user_abc") == "free", "the new period is not paid")
            try market.stripe.collect(id, succeeds: true)
            _ = try await market.reconcile()
            #expect(try await market.plan(of: "user_abc") == "paid")
        }
    }

    /// Two pages that are asked for at once, for different plans: one at most can be paid.
    @Test func twoCheckoutsAtOnceAreOnePage() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            for round in 0..<4 {
                let user = "user_\(round)"
                async let one = market.call("POST", "/create-checkout", user, body: #"{"tier":"paid"}"#)
                async let other = market.call("POST", "/create-checkout", user, body: #"{"tier":"pro"}"#)
                let statuses = try await [one.status, other.status]
                #expect(statuses == [200, 200])
                let open = market.stripe.checkoutSessions.values.filter {
                    $0["status"] == "open" && $0["metadata"]["userId"].string == user
                }
                #expect(open.count == 1, "\(user)")
            }
        }
    }

    /// Who has a link may name any user, and must not keep that user from buying.
    @Test func aStrangersPausedSubscriptionKeepsNobodyFromBuying() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            market.stripe.addCustomer("cus_stranger")
            market.stripe.put(
                subscription: Market.subscription("paused", id: "sub_x", user: nil, customer: "cus_stranger"))
            try await withRedisClient(market.redis.configuration) { redis in
                try await redis.send(
                    "HSET subscription:{user_abc} plan paid status paused subscription sub_x customer cus_stranger")
                try await redis.send("SET customer:{sub_x}:userId user_abc")
                try await redis.send("SET customer:{cus_stranger}:userId user_abc")
            }
            let answer = try await market.call("POST", "/create-checkout", "user_abc", body: #"{"tier":"paid"}"#)
            #expect(answer.status == 200, "\(answer.body)")
        }
    }
}
