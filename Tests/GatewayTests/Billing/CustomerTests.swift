import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// The customer that a user is at Stripe: one, made before the first checkout, and no other user's.
@Suite(.timeLimit(.minutes(6))) struct CustomerTests {
    private static let plans = """
        plans:
          free: { quota: 5 }
          paid: { quota: 500 }
          pro: { quota: 20000, priceId: price_pro }
        """

    /// The checkout session that the user is led to.
    private func checkout(_ market: Market, _ user: String, tier: String = "paid") async throws -> String {
        let answer = try await market.call("POST", "/create-checkout", user, body: #"{"tier":"\#(tier)"}"#)
        let url = try #require(answer.member("checkoutUrl"), "\(answer.body)")
        return String(try #require(url.split(separator: "/").last))
    }

    private func redis(_ market: Market, _ command: String) async throws -> RedisReply {
        try await withRedisClient(market.redis.patientConfiguration) { try await $0.send(command) }
    }

    private func ownCustomer(_ market: Market, _ user: String) async throws -> String? {
        try await redis(market, "HGET subscriptions:{\(user)} customer").string
    }

    @Test func theCustomerIsMadeFirstAndKept() async throws {
        try await withMarket { market in
            let session = try await checkout(market, "user_abc")
            let customer = try #require(market.stripe.customers.values.first)
            let id = try #require(customer["id"].string)
            #expect(customer["metadata"] == ["userId": "user_abc"])
            #expect(market.stripe.checkoutSessions[session]?["customer"].string == id)
            #expect(try await ownCustomer(market, "user_abc") == id)
            let owner = try await redis(market, "GET customer:{\(id)}:userId")
            #expect(owner.string == "user_abc")

            try market.stripe.pay(session)
            try await market.webhooksAreDone()
            #expect(market.stripe.customers.count == 1)
            #expect(try await ownCustomer(market, "user_abc") == id, "what the webhooks write leaves it")
            let portal = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(portal.status == 200)
        }
    }

    /// Both pages are opened before either is paid.
    @Test func twoCheckoutsAreOneCustomersAndOnePage() async throws {
        try await withMarket(gateways: 2, plans: Self.plans) { market in
            let paid = try await checkout(market, "user_abc")
            let again = try await checkout(market, "user_abc")
            #expect(again == paid, "an open page is used again")
            market.time.advance(seconds: 3600)
            #expect(try await checkout(market, "user_abc") == paid)
            let pro = try await checkout(market, "user_abc", tier: "pro")
            #expect(pro != paid)
            #expect(market.stripe.customers.count == 1)
            #expect(market.stripe.checkoutSessions[paid]?["status"] == "expired", "nothing is sold on it any more")
            #expect(throws: (any Error).self) { try market.stripe.pay(paid) }
            let back = try await checkout(market, "user_abc")
            #expect(back != paid && back != pro, "and its page is not given again")
            try market.stripe.pay(back)
            try await market.webhooksAreDone()
            let refused = try await market.call("POST", "/create-checkout", "user_abc", body: #"{"tier":"pro"}"#)
            #expect(refused.status == 409)
            #expect(market.stripe.subscriptions.count == 1)
        }
    }

    @Test func aPageThatEndsSoonIsNotUsedAgain() async throws {
        try await withMarket { market in
            let first = try await checkout(market, "user_abc")
            market.time.advance(seconds: 86_400 - 300)
            #expect(try await checkout(market, "user_abc") != first)
        }
    }

    @Test func manyClicksMakeOneCustomer() async throws {
        try await withMarket(gateways: 2) { market in
            let authorization = [("Authorization", "Bearer \(try market.token("user_abc"))")]
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for click in 0..<8 {
                    let port = market.gateways[click % 2].publicPort
                    group.addTask {
                        try await HTTP.send("POST", "/create-checkout", port: port, headers: authorization).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 8))
            #expect(market.stripe.customers.count == 1)
            #expect(market.stripe.checkoutSessions.count == 1)
        }
    }

    /// Nothing told the gateway of the first purchase, but Stripe is asked before anything is sold.
    @Test func whatWasBoughtWhileWebhooksWereLostIsSeenBeforeMoreIsSold() async throws {
        try await withMarket(plans: Self.plans) { market in
            market.stripe.webhooks.behaviour.isDelivering = false
            try market.stripe.pay(try await checkout(market, "user_abc"))
            market.time.advance(seconds: 600)
            let before = try await market.verify("user_abc")
            #expect(before.body.contains(#""plan":"free""#))
            for tier in ["paid", "pro"] {
                let refused = try await market.call(
                    "POST", "/create-checkout", "user_abc", body: #"{"tier":"\#(tier)"}"#)
                #expect(refused.status == 409)
                #expect(refused.member("code") == "already-subscribed")
            }
            let after = try await market.verify("user_abc")
            #expect(after.body.contains(#""plan":"paid""#), "and the picture is right again")
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "paid")
            #expect(market.stripe.subscriptions.count == 1)
        }
    }

    @Test func whatEndedWhileWebhooksWereLostDoesNotStandInTheWay() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            market.stripe.webhooks.behaviour.isDelivering = false
            try market.stripe.cancel(try #require(market.subscription(of: "user_abc")?["id"].string))
            market.time.advance(seconds: 600)
            try await market.buy("user_abc")
            #expect(market.stripe.subscriptions.count == 2)
            #expect(market.stripe.customers.count == 1)
        }
    }

    @Test(arguments: ["past_due", "unpaid", "paused", "trialing"])
    func noSecondSubscriptionWhileOneLives(_ status: String) async throws {
        try await withMarket(plans: Self.plans) { market in
            let metadata = ["userId": "user_abc"]
            try await market.buy("user_abc")
            let customer = try #require(market.stripe.customers.keys.first)
            let first = try #require(market.subscription(of: "user_abc")?["id"].string)
            switch status {
            case "past_due": try market.stripe.collect(first, succeeds: false)
            case "unpaid":
                try market.stripe.collect(first, succeeds: false)
                try market.stripe.giveUp(first)
            case "paused": try market.stripe.pause(first)
            default:
                try market.stripe.cancel(first)
                try market.stripe.subscribe(customer, to: ["price_paid"], metadata: metadata, trialDays: 7)
            }
            try await market.webhooksAreDone()
            let refused = try await market.call("POST", "/create-checkout", "user_abc", body: #"{"tier":"pro"}"#)
            #expect(refused.status == 409)
            #expect(refused.member("code") == "already-subscribed")
        }
    }

    @Test func aFirstPaymentThatFailedMayBeTriedAnew() async throws {
        try await withMarket { market in
            let session = try await checkout(market, "user_abc")
            let customer = try #require(market.stripe.customers.keys.first)
            try market.stripe.subscribe(
                customer, to: ["price_paid"], metadata: ["userId": "user_abc", "tier": "paid"], isPaid: false)
            try await market.webhooksAreDone()
            #expect(try await checkout(market, "user_abc") == session)
        }
    }

    @Test func aCustomerThatWasDeletedIsReplaced() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            let gone = try #require(market.stripe.customers.keys.first)
            try market.stripe.deleteCustomer(gone)
            try await market.webhooksAreDone()
            let portal = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(portal.status == 404)
            #expect(portal.member("code") == "billing-account-not-found")
            try await market.buy("user_abc")
            let own = try #require(try await ownCustomer(market, "user_abc"))
            #expect(own != gone)
            let living = market.stripe.subscriptions.values.filter { $0["status"] == "active" }
            #expect(living.map { $0["customer"].string } == [own])
            let again = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(again.status == 200)
        }
    }

    /// Anyone may write anyone's name into a payment link. It serves the one who is named, but the payer's cards and
    /// invoices are not theirs to see.
    @Test func thePortalIsNotOfAStrangerWhoPaid() async throws {
        try await withMarket { market in
            market.stripe.addCustomer("cus_stranger")
            let subscription = try market.stripe.subscribe("cus_stranger", to: ["price_paid"])
            market.stripe.emit(
                type: "checkout.session.completed",
                object: [
                    "id": "cs_link", "object": "checkout.session", "mode": "subscription", "status": "complete",
                    "payment_status": "paid", "client_reference_id": "user_abc", "customer": "cus_stranger",
                    "subscription": .string(subscription), "metadata": [:],
                ])
            try await market.webhooksAreDone()
            let served = try await market.verify("user_abc")
            #expect(served.body.contains(#""plan":"paid""#))
            #expect(try await ownCustomer(market, "user_abc") == nil)
            let portal = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(portal.status == 404)
            #expect(portal.member("portalUrl") == nil)
            let second = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(second.status == 409, "a second one would be paid for beside it")

            try market.stripe.cancel(subscription)
            try await market.webhooksAreDone()
            market.time.advance(seconds: 60)
            try await market.buy("user_abc")
            let own = try #require(try await ownCustomer(market, "user_abc"))
            #expect(own != "cus_stranger")
            let opened = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(opened.status == 200)
        }
    }

    /// From a time when no customer was kept, or entered by the operator in Stripe's dashboard.
    @Test(arguments: [["userId": "user_abc"], [:]])
    func aCustomerIsTheUsersOwnIfTheAccountsOwnerSaysSo(_ metadata: [String: String]) async throws {
        try await withMarket { market in
            market.stripe.addCustomer("cus_old", metadata: metadata)
            market.stripe.webhooks.behaviour.isDelivering = false
            let subscription = try market.stripe.subscribe(
                "cus_old", to: ["price_paid"], metadata: metadata.isEmpty ? ["userId": "user_abc"] : [:])
            _ = try await redis(
                market,
                "HSET subscription:{user_abc} plan paid status active customer cus_old subscription \(subscription)")
            let portal = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(portal.status == 200)
            #expect(try await ownCustomer(market, "user_abc") == "cus_old")
            let refused = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(refused.status == 409)
        }
    }

    @Test func aPlanThatWasGivenIsNotSoldAgain() async throws {
        try await withMarket(plans: Self.plans) { market in
            _ = try await redis(market, "HSET subscription:{user_abc} plan paid status active")
            let same = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(same.status == 409)
            let better = try await market.call("POST", "/create-checkout", "user_abc", body: #"{"tier":"pro"}"#)
            #expect(better.status == 200)
        }
    }

    /// An operator's own page for the same customer stays open.
    @Test func otherPagesOfTheCustomerAreLeftAlone() async throws {
        try await withMarket { market in
            _ = try await checkout(market, "user_abc")
            let customer = try #require(try await ownCustomer(market, "user_abc"))
            let api = StripeAPI(url: market.stripe.url)
            let foreign = try await api.openCheckout("price_newsletter", customer: customer)
            _ = try await checkout(market, "user_abc")
            #expect(market.stripe.checkoutSessions[foreign]?["status"] == "open")
        }
    }
}

/// Stripe's API as an operator's own program calls it.
private struct StripeAPI {
    let url: String

    func openCheckout(_ price: String, customer: String) async throws -> String {
        let form =
            "mode=subscription&line_items[0][price]=\(price)&line_items[0][quantity]=1&success_url=http://a.test/"
            + "&customer=\(customer)"
        let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
        let answer = try await HTTP.send(
            "POST", "/v1/checkout/sessions", port: port,
            headers: [
                ("Authorization", "Bearer sk_test_market"), ("Stripe-Version", StripeStandIn.apiVersion),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ], body: form)
        return try #require(JSON(parsing: answer.body.utf8)?["id"].string, "\(answer.body)")
    }
}
