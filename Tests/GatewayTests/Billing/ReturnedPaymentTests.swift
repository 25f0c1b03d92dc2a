import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// Payments that are refunded, or that the customer's bank takes back.
@Suite struct ReturnedPaymentTests {
    private static let ends = ["STRIPE_ON_REFUND": "end"]

    @Test(arguments: ["keep", "end"])
    func aRefundInFull(rule: String) async throws {
        try await withMarket(settings: ["STRIPE_ON_REFUND": rule]) { market in
            try await market.buy("user_abc")
            let id = try #require(market.subscription(of: "user_abc")?["id"].string)
            try market.stripe.refund(id)
            try await market.webhooksAreDone()
            #expect(try await market.plan(of: "user_abc") == (rule == "keep" ? "paid" : "free"))
            // What the subscription tells afterwards does not bring the plan back.
            try market.stripe.cancelAtPeriodEnd(id)
            try await market.webhooksAreDone()
            #expect(try await market.plan(of: "user_abc") == (rule == "keep" ? "paid" : "free"))
            let checkout = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(checkout.status == 409, "the subscription goes on at Stripe")
        }
    }

    @Test func theNextPeriodThatIsPaidServesAgain() async throws {
        try await withMarket(settings: Self.ends) { market in
            try await market.buy("user_abc")
            let id = try #require(market.subscription(of: "user_abc")?["id"].string)
            try market.stripe.loseDispute(over: id)
            try await market.webhooksAreDone()
            #expect(try await market.plan(of: "user_abc") == "free")
            try await withRedisClient(market.redis.configuration) { redis in
                let status = try await redis.send("HGET subscription:{user_abc} status").string
                #expect(status == "payment_returned")
            }
            market.time.advance(seconds: 31 * 86_400)
            try market.stripe.collect(id, succeeds: true)
            try await market.webhooksAreDone()
            #expect(try await market.plan(of: "user_abc") == "paid")
        }
    }

    /// The money of a month that is over.
    @Test func anEarlierPeriodIsNoReason() async throws {
        try await withMarket(settings: Self.ends) { market in
            try await market.buy("user_abc")
            let id = try #require(market.subscription(of: "user_abc")?["id"].string)
            market.stripe.webhooks.behaviour.isDelivering = false
            let refund = try market.stripe.refund(id)
            market.time.advance(seconds: 31 * 86_400)
            market.stripe.webhooks.behaviour.isDelivering = true
            try market.stripe.collect(id, succeeds: true)
            for event in refund { market.stripe.webhooks.resend(event) }
            try await market.webhooksAreDone()
            #expect(try await market.plan(of: "user_abc") == "paid")
        }
    }

    /// Of something else that the same account sells.
    @Test func aPaymentOfNoSubscriptionIsNoReason() async throws {
        try await withMarket(settings: Self.ends) { market in
            try await market.buy("user_abc")
            let answer = try await market.deliver(
                Market.event(
                    "charge.refunded",
                    [
                        "id": "ch_mug", "object": "charge", "customer": "cus_mug", "payment_intent": "pi_mug",
                        "refunded": true,
                    ], created: market.time.now()))
            #expect(answer.status == 200)
            #expect(try await market.plan(of: "user_abc") == "paid")
        }
    }
}
