import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

/// Several subscriptions of a user, plans that were given by hand, and subscriptions whose user is not told or is another
/// one than before.
@Suite struct PurchaseTests {
    private static func tell(
        _ type: String, _ subscription: JSON, id: String, _ market: Market
    ) async throws {
        market.stripe.put(subscription: subscription)
        let answer = try await market.deliver(
            Market.event("customer.subscription." + type, subscription, id: "evt_" + id, created: market.time.now()))
        #expect(answer.status == 200, "\(answer.body)")
    }

    @discardableResult
    private static func redis<Value>(
        _ market: Market, _ body: (RedisClient) async throws -> Value
    ) async throws -> Value {
        try await withRedisClient(market.redis.configuration, body)
    }

    private static func isPlan(_ plan: String, of user: String = "user_abc", _ market: Market) async throws {
        let found = try await market.plan(of: user)
        #expect(found == plan, "\(user)")
        #expect(market.clerk.publicMetadata(of: user)?["plan"] == .string(plan), "\(user)")
    }

    // MARK: Two at a time

    /// What becomes of the newer one, and the plan that is left.
    @Test(arguments: [
        ("deleted", "canceled", "price_paid", "paid"), ("paused", "paused", "price_paid", "paid"),
        ("updated", "unpaid", "price_pro", "paid"), ("deleted", "canceled", "price_pro", "paid"),
        ("updated", "incomplete_expired", "price_paid", "paid"), ("updated", "active", "price_paid", "paid"),
        ("updated", "trialing", "price_pro", "pro"),
    ])
    func theOlderOneIsPaidFor(type: String, status: String, price: String, plan: String) async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            let older = Market.subscription(id: "sub_old", customer: "cus_old")
            func newer(_ status: String) -> JSON {
                Market.subscription(
                    status, id: "sub_new", customer: "cus_new", prices: [price], created: 1_764_190_100)
            }
            try await Self.tell("created", older, id: "1", market)
            try await Self.tell("created", newer("trialing"), id: "2", market)
            try await Self.isPlan(price == "price_pro" ? "pro" : "paid", market)
            market.time.advance(seconds: 60)
            try await Self.tell(type, newer(status), id: "3", market)
            try await Self.isPlan(plan, market)
            let again = try await market.call("POST", "/create-checkout", "user_abc", body: #"{"tier":"pro"}"#)
            #expect(again.status == 409, "a third would be paid for beside them: \(again.body)")
            try await Self.tell("deleted", Market.subscription("canceled", id: "sub_old"), id: "4", market)
            let isServed = ["active", "trialing"].contains(status)
            try await Self.isPlan(isServed ? plan : "free", market)
        }
    }

    @Test func anOlderBetterOneCountsBesideANewer() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            try await Self.tell(
                "created", Market.subscription(id: "sub_old", prices: ["price_pro"]), id: "1", market)
            try await Self.tell("created", Market.subscription(id: "sub_new", created: 1_764_190_100), id: "2", market)
            try await Self.isPlan("pro", market)
        }
    }

    /// No event tells that a grace is over.
    @Test func afterTheGraceOfOneTheOtherCounts() async throws {
        let settings = ["STRIPE_PAST_DUE_GRACE_DAYS": "2"]
        try await withMarket(settings: settings, plans: SubscriptionLifeTests.plans) { market in
            try await Self.tell("created", Market.subscription(id: "sub_old"), id: "1", market)
            try await Self.tell(
                "updated", Market.subscription("past_due", id: "sub_new", prices: ["price_pro"]), id: "2", market)
            try await Self.isPlan("pro", market)
            market.time.advance(seconds: 2 * 86_400 - 1)
            var plan = try await market.plan(of: "user_abc")
            #expect(plan == "pro")
            market.time.advance(seconds: 1)
            plan = try await market.plan(of: "user_abc")
            #expect(plan == "paid")
        }
    }

    // MARK: By hand

    /// The operator's command of the guide, and what the account sells besides plans.
    @Test func aPlanByHandIsNotCaptured() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            try await Self.redis(market) { redis in
                try await redis.send("HSET subscription:{user_abc} plan pro status active")
            }
            let newsletter = Market.subscription(id: "sub_news", prices: ["price_news"])
            market.stripe.put(subscription: newsletter)
            let checkout = try await market.deliver(
                Market.event(
                    "checkout.session.completed", Market.checkout(of: "sub_news", tier: nil), id: "evt_0",
                    created: market.time.now()))
            #expect(checkout.status == 200)
            for (id, type, status) in [("1", "created", "active"), ("2", "deleted", "canceled")] {
                var subscription = newsletter
                subscription["status"] = .string(status)
                try await Self.tell(type, subscription, id: id, market)
            }
            var plan = try await market.plan(of: "user_abc")
            #expect(plan == "pro")
            let fields = try await Self.redis(market) { redis in
                try await redis.send("HGETALL subscription:{user_abc}").array?.compactMap(\.string)
            }
            #expect(fields == ["plan", "pro", "status", "active"])
            let metrics = try await market.metrics()
            #expect(metrics.contains(#"tollgate_webhooks_total{outcome="foreign",reason="deleted"} 1"#))
            #expect(market.clerk.updates.isEmpty)
            // Nor by a lesser plan, nor by its end.
            try await Self.tell("created", Market.subscription(), id: "3", market)
            try await Self.tell("deleted", Market.subscription("canceled"), id: "4", market)
            plan = try await market.plan(of: "user_abc")
            #expect(plan == "pro")
        }
    }

    // MARK: Whose it is

    /// It comes in before the link is made, and is sent again from Stripe's dashboard afterwards.
    @Test(arguments: ["redis", "metadata", "customer"]) func anUnknownUserIsFoundLater(way: String) async throws {
        try await withMarket { market in
            var subscription = Market.subscription(user: nil)
            try await Self.tell("created", subscription, id: "1", market)
            var plan = try await market.plan(of: "user_abc")
            #expect(plan == "free")
            switch way {
            case "redis":
                try await Self.redis(market) { try await $0.send("SET customer:{cus_1}:userId user_abc") }
            case "metadata": subscription = Market.subscription()
            default:
                market.stripe.put(customer: [
                    "id": "cus_1", "object": "customer", "metadata": ["userId": "user_abc"],
                ])
            }
            try await Self.tell("created", subscription, id: "1", market)
            plan = try await market.plan(of: "user_abc")
            #expect(plan == "paid")
            let metrics = try await market.metrics()
            #expect(metrics.contains(#"tollgate_webhooks_total{outcome="unknown_user",reason="subscription"} 1"#))
            let answer = try await market.deliver(
                Market.event("customer.subscription.created", subscription, id: "evt_1", created: market.time.now()))
            #expect(answer.body == #"{"received":true,"idempotent":true}"#)
        }
    }

    /// One subscription names its user, and the customer names that of the other. Each comes first once.
    @Test(arguments: [["own", "gift"], ["gift", "own"]]) func aCustomerMayPayForAnother(order: [String]) async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            market.stripe.put(customer: ["id": "cus_1", "object": "customer", "metadata": ["userId": "user_abc"]])
            let sold = [
                "own": Market.subscription(id: "sub_own", user: nil),
                "gift": Market.subscription(id: "sub_gift", user: "user_def", prices: ["price_pro"]),
            ]
            for (number, name) in (order + order).enumerated() {
                try await Self.tell("updated", try #require(sold[name]), id: "\(number)", market)
            }
            try await Self.isPlan("paid", market)
            try await Self.isPlan("pro", of: "user_def", market)
        }
    }

    /// A restricted key need not be able to read customers.
    @Test func aKeyThatMayNotReadCustomersHoldsNothingUp() async throws {
        try await withMarket { market in
            market.stripe.faults.inject(.status(403), times: 10, pathPrefix: "/v1/customers")
            try await Self.tell("created", Market.subscription(user: nil), id: "1", market)
        }
    }

    @Test func aLinkOfPaymentsNeedsNoMetadata() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            let sold = Market.subscription(user: nil, prices: ["price_pro_year"])
            try await Self.tell("created", sold, id: "1", market)
            let checkout = try await market.deliver(
                Market.event(
                    "checkout.session.completed", Market.checkout(tier: nil), id: "evt_2", created: market.time.now()))
            #expect(checkout.status == 200)
            try await Self.isPlan("pro", market)
            var ended = sold
            ended["status"] = "canceled"
            try await Self.tell("deleted", ended, id: "3", market)
            try await Self.isPlan("free", market)
        }
    }

    /// The payer of a payment link may name anyone.
    @Test func aStrangersLinkTakesNothing() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            try await market.buy("user_abc", tier: "pro")
            let own = try #require(market.subscription(of: "user_abc")?["customer"].string)
            let stranger = Market.subscription(id: "sub_2", user: nil, customer: "cus_stranger")
            market.stripe.addCustomer("cus_stranger")
            try await Self.tell("created", stranger, id: "1", market)
            let checkout = Market.checkout(of: "sub_2", customer: "cus_stranger", tier: nil)
            for id in ["evt_2", "evt_3"] {
                let answer = try await market.deliver(
                    Market.event("checkout.session.completed", checkout, id: id, created: market.time.now()))
                #expect(answer.status == 200)
                try await Self.isPlan("pro", market)
                var ended = stranger
                ended["status"] = "canceled"
                try await Self.tell("deleted", ended, id: "end-" + id, market)
                try await Self.isPlan("pro", market)
                market.stripe.put(subscription: stranger)
            }
            let portal = try await market.call("POST", "/billing-portal", "user_abc")
            let url = try #require(portal.member("portalUrl"), "\(portal.body)")
            let page = try await HTTP.get(
                "/portal/" + String(url.split(separator: "/").last ?? ""),
                port: try #require(Int(market.stripe.url.split(separator: ":").last ?? "")))
            #expect(page.body.contains(market.subscription(of: "user_abc")?["id"].string ?? "-"), "\(page.body)")
            #expect(market.clerk.publicMetadata(of: "user_abc")?["stripeCustomerId"] == .string(own))
        }
    }

    /// Stripe ends the subscriptions of a customer who is deleted, and the events of that are lost. One that Stripe has no
    /// more has ended as well.
    @Test(arguments: ["canceled", nil]) func aDeletedCustomerHasNothing(status: String?) async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            try await Self.tell("created", Market.subscription(), id: "1", market)
            let other = Market.subscription(id: "sub_2", customer: "cus_2", prices: ["price_pro"])
            try await Self.tell("created", other, id: "2", market)
            if let status {
                market.stripe.put(subscription: Market.subscription(status))
            } else {
                market.stripe.faults.inject(.status(404), pathPrefix: "/v1/subscriptions/sub_1")
            }
            func deleted(_ customer: String) -> JSON {
                Market.event(
                    "customer.deleted", ["id": .string(customer), "object": "customer"], id: "evt_" + customer,
                    created: market.time.now())
            }
            let answer = try await market.deliver(deleted("cus_1"))
            #expect(answer.body == #"{"received":true}"#)
            try await Self.isPlan("pro", market)
            try await Self.tell(
                "deleted", Market.subscription("canceled", id: "sub_2", customer: "cus_2"), id: "3", market)
            try await Self.isPlan("free", market)
            let unknown = try await market.deliver(deleted("cus_9"))
            #expect(unknown.status == 200)
            let repeated = try await market.deliver(deleted("cus_1"))
            #expect(repeated.body == #"{"received":true,"idempotent":true}"#)
        }
    }

    /// The account's owner gives a subscription to another user. The first customer has two.
    @Test func whatMovesToAnotherUserIsLost() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            func sold(_ id: String, _ user: String, _ price: String) -> JSON {
                Market.subscription(id: id, user: user, prices: [price])
            }
            try await Self.tell("created", sold("sub_1", "user_a", "price_pro"), id: "1", market)
            try await Self.tell("created", sold("sub_2", "user_a", "price_paid"), id: "2", market)
            try await Self.isPlan("pro", of: "user_a", market)
            try await Self.tell("updated", sold("sub_1", "user_b", "price_pro"), id: "3", market)
            try await Self.isPlan("paid", of: "user_a", market)
            try await Self.isPlan("pro", of: "user_b", market)
            try await Self.tell("updated", sold("sub_2", "user_b", "price_paid"), id: "4", market)
            try await Self.isPlan("free", of: "user_a", market)
            try await Self.isPlan("pro", of: "user_b", market)
            // An old event of the first user's is looked at like any other.
            let old = try await market.deliver(
                Market.event(
                    "customer.subscription.updated", sold("sub_1", "user_a", "price_pro"), id: "evt_5",
                    created: market.time.now()))
            #expect(old.status == 200)
            try await Self.isPlan("free", of: "user_a", market)
            try await Self.tell("updated", sold("sub_1", "user_a", "price_pro"), id: "6", market)
            try await Self.isPlan("pro", of: "user_a", market)
            try await Self.isPlan("paid", of: "user_b", market)
        }
    }

    /// To one whom it sells no plan any more.
    @Test func whatMovesAndSellsNothingIsLostAsWell() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            try await Self.tell("created", Market.subscription(user: "user_a"), id: "1", market)
            try await Self.isPlan("paid", of: "user_a", market)
            let moved = Market.subscription(user: "user_b", prices: ["price_mug"])
            for id in ["2", "3"] { try await Self.tell("updated", moved, id: id, market) }
            try await Self.isPlan("free", of: "user_a", market)
            let plan = try await market.plan(of: "user_b")
            #expect(plan == "free")
            #expect(market.clerk.publicMetadata(of: "user_b")?["plan"] == nil)
        }
    }

    /// The payer is named once, whatever is bought, and may change to a plan in the portal.
    @Test func aLinkForSomethingElseNamesThePayer() async throws {
        try await withMarket(plans: SubscriptionLifeTests.plans) { market in
            market.stripe.put(subscription: Market.subscription(user: nil, prices: ["price_mug"]))
            let checkout = try await market.deliver(
                Market.event(
                    "checkout.session.completed", Market.checkout(tier: nil), id: "evt_1", created: market.time.now()))
            #expect(checkout.status == 200)
            let before = try await market.plan(of: "user_abc")
            #expect(before == "free")
            try await Self.tell("updated", Market.subscription(user: nil, prices: ["price_pro"]), id: "2", market)
            try await Self.isPlan("pro", market)
        }
    }
}
