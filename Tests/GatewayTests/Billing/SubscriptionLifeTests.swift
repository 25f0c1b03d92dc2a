import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// Lives of one subscription, as Stripe sends them: whatever comes late, twice or in another order, the user has in the end
/// what Stripe says.
@Suite struct SubscriptionLifeTests {
    static let plans = """
        plans:
          free: { quota: 5 }
          paid: { quota: 500 }
          pro: { quota: 20000, priceIds: [price_pro, price_pro_year] }
        """

    /// How the subscription was one day, and the event of that day.
    struct Day {
        let event: String
        let subscription: JSON
    }

    static func day(
        _ event: String, _ id: String, _ user: String, _ status: String = "active", price: String = "price_paid"
    ) -> Day {
        // The metadata is from the day of the sale.
        Day(
            event: event,
            subscription: Market.subscription(
                status, id: id, user: user, customer: "cus_\(id)", prices: [price], tier: "paid"))
    }

    /// The days of a life, in their order, and the plan in the end.
    typealias Life = (name: String, days: @Sendable (_ id: String, _ user: String) -> [Day], plan: String)

    static let slow = "checkout.session.async_payment_succeeded"

    static let lives: [Life] = [
        (
            "upgraded before the debit was paid",
            { id, user in
                [
                    day("customer.subscription.created", id, user),
                    day("customer.subscription.updated", id, user, price: "price_pro"),
                    day(slow, id, user, price: "price_pro"),
                ]
            }, "pro"
        ),
        (
            "downgraded before the debit was paid",
            { id, user in
                [
                    day("customer.subscription.created", id, user, price: "price_pro"),
                    day("customer.subscription.updated", id, user), day("invoice.paid", id, user), day(slow, id, user),
                ]
            }, "paid"
        ),
        (
            "paused before the debit was paid",
            { id, user in
                [
                    day("customer.subscription.created", id, user),
                    day("customer.subscription.paused", id, user, "paused"), day(slow, id, user, "paused"),
                ]
            }, "free"
        ),
        (
            "ended before the debit was paid",
            { id, user in
                [
                    day("customer.subscription.created", id, user),
                    day("customer.subscription.deleted", id, user, "canceled"), day(slow, id, user, "canceled"),
                ]
            }, "free"
        ),
        (
            "ended after the checkout",
            { id, user in
                [
                    day("customer.subscription.created", id, user), day("checkout.session.completed", id, user),
                    day("customer.subscription.deleted", id, user, "canceled"),
                ]
            }, "free"
        ),
    ]

    /// An old checkout event says that something was paid for, and not what the subscription is since.
    @Test(arguments: lives.indices) func whatWasSoldIsNotWhatThereIs(life: Int) async throws {
        let life = Self.lives[life]
        try await withMarket(plans: Self.plans) { market in
            // In every order, with Stripe as it is in the end.
            for (number, order) in Self.orders(of: life.days("", "").count).enumerated() {
                let (id, user) = ("sub_\(number)", "user_\(number)")
                let days = life.days(id, user)
                market.stripe.put(subscription: try #require(days.last).subscription)
                for place in order { try await Self.deliver(days[place], "\(id)-\(place)", market) }
                let plan = try await market.plan(of: user)
                #expect(plan == life.plan, "\(life.name): \(order.map { days[$0].event })")
                #expect(market.clerk.publicMetadata(of: user)?["plan"] == .string(life.plan))
            }
            // In order, with Stripe as it is on each day, and each event twice.
            let days = life.days("sub_days", "user_days")
            for (place, day) in days.enumerated() {
                market.stripe.put(subscription: day.subscription)
                for copy in 0..<2 { try await Self.deliver(day, "day-\(place)-\(copy)", market) }
                market.time.advance(seconds: 86_400)
            }
            let plan = try await market.plan(of: "user_days")
            #expect(plan == life.plan, "\(life.name)")
        }
    }

    private static func orders(of count: Int) -> [[Int]] {
        guard count > 0 else { return [[]] }
        return orders(of: count - 1).flatMap { order in
            (0...order.count).map { place in order[..<place] + [count - 1] + order[place...] }
        }
    }

    private static func deliver(_ day: Day, _ id: String, _ market: Market) async throws {
        let subscription = day.subscription
        let object: JSON
        if day.event.hasPrefix("checkout") {
            object = Market.checkout(
                of: subscription["id"].string ?? "", reference: subscription["metadata"]["userId"].string,
                customer: subscription["customer"].string ?? "")
        } else if day.event.hasPrefix("invoice") {
            object = [
                "id": "in_1", "object": "invoice", "customer": subscription["customer"],
                "parent": [
                    "subscription_details": [
                        "subscription": subscription["id"], "metadata": subscription["metadata"],
                    ]
                ],
            ]
        } else {
            object = subscription
        }
        let answer = try await market.deliver(
            Market.event(day.event, object, id: "evt_\(id)", created: market.time.now()))
        #expect(answer.status == 200, "\(answer.body)")
    }

    private static func tell(
        _ type: String, _ subscription: JSON, id: String, _ market: Market
    ) async throws {
        market.stripe.put(subscription: subscription)
        try await deliver(Day(event: type, subscription: subscription), id, market)
    }

    // MARK: Prices

    /// The portal keeps the metadata of the checkout, whatever it sells.
    @Test(arguments: [("free", "free"), ("keep", "pro")])
    func aSwitchToAnUnknownPrice(rule: String, plan: String) async throws {
        try await withMarket(settings: ["STRIPE_UNKNOWN_PRICE": rule], plans: Self.plans) { market in
            func sold(_ prices: [String]) -> JSON { Market.subscription(prices: prices, tier: "pro") }
            try await Self.tell("customer.subscription.created", sold(["price_pro"]), id: "1", market)
            var found = try await market.plan(of: "user_abc")
            #expect(found == "pro")
            for id in ["2", "3"] {
                try await Self.tell("customer.subscription.updated", sold(["price_mug"]), id: id, market)
            }
            found = try await market.plan(of: "user_abc")
            #expect(found == plan)
            let metrics = try await market.metrics()
            #expect(metrics.contains("tollgate_unknown_prices_total 1"), "told of once, whatever the rule")
            try await Self.tell("customer.subscription.updated", sold(["price_paid"]), id: "4", market)
            found = try await market.plan(of: "user_abc")
            #expect(found == "paid")
        }
    }

    @Test func fromAMonthToAYearOfABetterPlan() async throws {
        try await withMarket(plans: Self.plans) { market in
            try await Self.tell("customer.subscription.created", Market.subscription(tier: "paid"), id: "1", market)
            try await Self.tell(
                "customer.subscription.updated", Market.subscription(prices: ["price_pro_year"], tier: "paid"),
                id: "2", market)
            let plan = try await market.plan(of: "user_abc")
            #expect(plan == "pro")
        }
    }

    @Test func allItemsCount() async throws {
        try await withMarket(plans: Self.plans) { market in
            for (number, prices) in [["price_paid", "price_pro"], ["price_pro", "price_paid", "price_mug"]].enumerated()
            {
                let user = "user_\(number)"
                try await Self.tell(
                    "customer.subscription.created",
                    Market.subscription(id: "sub_\(number)", user: user, customer: "cus_\(number)", prices: prices),
                    id: "\(number)", market)
                let plan = try await market.plan(of: user)
                #expect(plan == "pro", "\(prices)")
            }
        }
    }

    // MARK: What the record tells

    /// Ends, trials and pauses stand in the record and in the account; a pause of the payments takes nothing away.
    @Test func whatIsToComeIsRecorded() async throws {
        try await withMarket(plans: Self.plans) { market in
            var subscription = Market.subscription("trialing")
            subscription["trial_end"] = 1_766_000_000
            subscription["cancel_at_period_end"] = true
            subscription["pause_collection"] = ["behavior": "void", "resumes_at": nil]
            market.stripe.put(subscription: subscription)
            let checkout = Market.event("checkout.session.completed", Market.checkout(), created: market.time.now())
            let answer = try await market.deliver(checkout)
            #expect(answer.status == 200)
            let account = try await market.call("GET", "/account", "user_abc")
            let told = try #require(JSON(parsing: account.body.utf8))["subscription"]
            #expect(told["plan"] == "paid" && told["status"] == "trialing", "\(account.body)")
            #expect(told["trialEnd"] == "2025-12-17T19:33:20Z")
            #expect(told["periodEnd"] == "2025-12-26T20:46:40Z" && told["endsAt"] == told["periodEnd"])
            #expect(told["collectionPause"] == ["until": .null])
            let plan = try await market.plan(of: "user_abc")
            #expect(plan == "paid")
        }
    }
}
