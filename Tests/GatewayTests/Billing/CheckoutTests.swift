import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// `POST /create-checkout` and `POST /billing-portal`.
@Suite struct CheckoutTests {
    private static let plans = """
        plans:
          free: { quota: 5 }
          paid: { quota: 500 }
          pro: { quota: 20000, priceId: price_pro }
          internal: { quota: 1 }
        """

    @Test func theSessionIsTheOriginals() async throws {
        try await withMarket { market in
            let answer = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(answer.status == 200)
            #expect(answer.body.contains(#""usage":{"count":1,"limit":5,"plan":"free","#))
            #expect(answer.headers["x-ratelimit-remaining"] == "4")
            let session = try #require(market.stripe.checkoutSessions.values.first)
            #expect(answer.member("checkoutUrl") == session["url"].string)
            #expect(session["mode"] == "subscription")
            #expect(session["client_reference_id"] == "user_abc")
            #expect(session["metadata"] == ["userId": "user_abc", "tier": "paid", "priceId": "price_paid"])
            #expect(session["success_url"] == "https://app.example.com/dashboard?payment=success")
            #expect(session["cancel_url"] == "https://app.example.com/dashboard?payment=cancelled")
        }
    }

    @Test func whoIsOutOfCallsCanPay() async throws {
        try await withMarket { market in
            for _ in 1...5 { _ = try await market.verify("user_abc") }
            let refused = try await market.verify("user_abc")
            #expect(refused.status == 403)
            let checkout = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(checkout.status == 200)
            #expect(checkout.body.contains(#""count":5,"limit":5"#))
        }
    }

    @Test func aDoubleClickMakesOneSession() async throws {
        try await withMarket(gateways: 2) { market in
            let authorization = [("Authorization", "Bearer \(try market.token("user_abc"))")]
            let urls = try await withThrowingTaskGroup(of: String?.self) { group in
                for click in 0..<4 {
                    let port = market.gateways[click % 2].publicPort
                    group.addTask {
                        try await HTTP.send("POST", "/create-checkout", port: port, headers: authorization)
                            .member("checkoutUrl")
                    }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            #expect(urls.count == 1 && urls.first != .some(nil))
            #expect(market.stripe.checkoutSessions.count == 1)
            try market.stripe.pay(try #require(market.stripe.checkoutSessions.keys.first))
            try await market.webhooksAreDone()
            try market.stripe.cancel(try #require(market.subscription(of: "user_abc")?["id"].string))
            try await market.webhooksAreDone()
            _ = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(market.stripe.checkoutSessions.count == 2, "the next purchase has another, however soon")
        }
    }

    @Test func furtherPlansAreBoughtByName() async throws {
        try await withMarket(plans: Self.plans) { market in
            try await market.buy("user_abc", tier: "pro")
            let answer = try await market.verify("user_abc")
            #expect(answer.body.contains(#""limit":20000,"plan":"pro""#))
            let prices = market.subscription(of: "user_abc")?["items"]["data"].elements?.map { $0["price"]["id"] }
            #expect(prices == ["price_pro"])
        }
    }

    @Test(arguments: [
        (#"{"tier":"internal"}"#, "unknown-tier", "paid, pro"), (#"{"tier":"gold"}"#, "unknown-tier", "paid, pro"),
        (#"{"tier":7}"#, "bad-request", "tier"), ("tier=pro", "bad-request", "tier"), ("[]", "bad-request", "tier"),
    ])
    func bodiesThatNameNoPlanAreRefused(body: String, code: String, message: String) async throws {
        try await withMarket(plans: Self.plans) { market in
            let answer = try await market.call("POST", "/create-checkout", "user_abc", body: body)
            #expect(answer.status == 400)
            #expect(answer.member("code") == code)
            #expect(answer.member("message")?.contains(message) == true)
            let next = try await market.verify("user_abc")
            #expect(next.body.contains(#""count":1,"#), "a refused call costs nothing")
        }
    }

    @Test func subscribersAreSentToThePortal() async throws {
        try await withMarket(plans: Self.plans) { market in
            let before = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(before.status == 404)
            #expect(before.member("code") == "billing-account-not-found")
            try await market.buy("user_abc")
            for tier in ["paid", "pro"] {
                let again = try await market.call(
                    "POST", "/create-checkout", "user_abc", body: #"{"tier":"\#(tier)"}"#)
                #expect(again.status == 409)
                #expect(again.member("code") == "already-subscribed")
                #expect(again.member("portal") == "/billing-portal")
            }
            let portal = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(portal.status == 200)
            #expect(portal.member("portalUrl")?.contains("/portal/bps_") == true)
            let counted = try await market.verify("user_abc")
            #expect(counted.body.contains(#""count":2,"limit":500"#), "the portal costs no call, nor what is refused")
        }
    }

    @Test func whoComesBackIsTheSameCustomer() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            try market.stripe.cancel(try #require(market.subscription(of: "user_abc")?["id"].string))
            try await market.webhooksAreDone()
            market.time.advance(seconds: 60)
            try await market.buy("user_abc")
            #expect(market.stripe.customers.count == 1)
            #expect(market.stripe.subscriptions.count == 2)
            let paid = try await market.verify("user_abc")
            #expect(paid.body.contains(#""plan":"paid""#))
        }
    }

    @Test func customersThatStripeHasForgottenBecomeNewOnes() async throws {
        try await withMarket { market in
            _ = try await withRedisClient(market.redis.configuration) { redis in
                try await redis.send("HSET subscription:{user_abc} plan free status canceled customer cus_gone")
            }
            let portal = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(portal.status == 404)
            try await market.buy("user_abc")
            #expect(market.subscription(of: "user_abc")?["customer"].string != "cus_gone")
        }
    }

    @Test func whatIsMissingIsNamed() async throws {
        let settings = ["STRIPE_SECRET_KEY": "", "STRIPE_WEBHOOK_SECRET": "", "FRONTEND_URL": ""]
        try await withMarket(settings: settings) { market in
            for path in ["/create-checkout", "/billing-portal"] {
                let answer = try await market.call("POST", path, "user_abc")
                #expect(answer.status == 501)
                #expect(answer.member("code") == "billing-not-configured")
                #expect(answer.member("message") == "Set STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, FRONTEND_URL.")
            }
            let webhook = try await market.post("{}", signature: nil)
            #expect(webhook.status == 500)
            #expect(webhook.member("error") == "Webhook secret not configured")
            let verified = try await market.verify("user_abc")
            #expect(verified.status == 200, "the rest works")
        }
    }

    /// Each fault often enough that retries do not get past it.
    @Test(arguments: [
        (Fault.status(402), 502, "payment-provider-refused"), (.status(400), 502, "payment-provider-refused"),
        (.status(401), 502, "payment-provider-refused"), (.status(429), 503, "payment-provider-unavailable"),
        (.status(500), 503, "payment-provider-unavailable"), (.html(502), 503, "payment-provider-unavailable"),
        (.html(200), 502, "payment-provider-refused"),
    ])
    func stripesFaultsAreToldApart(fault: Fault, status: Int, code: String) async throws {
        try await withMarket { market in
            market.stripe.faults.inject(fault, times: 10)
            let answer = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(answer.status == status)
            #expect(answer.member("code") == code)
            #expect(!answer.body.contains("sk_test"))
            #expect(answer.headers["x-ratelimit-remaining"] == "5", "the call was given back, and says so")
            market.stripe.faults.clear()
            // A failure is given again under the same idempotency key, so a while later.
            market.time.advance(seconds: 300)
            let later = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(later.status == 200)
        }
    }

    @Test func aStripeThatIsDownOrHangsIsToldToComeAgain() async throws {
        try await withMarket(settings: ["STRIPE_API_URL": "http://127.0.0.1:1"]) { market in
            let answer = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(answer.status == 503)
            #expect(answer.member("code") == "payment-provider-unavailable")
        }
        try await withMarket { market in
            market.stripe.faults.inject(.stall(.seconds(30)), times: 10)
            let (answer, duration) = try await timed { try await market.call("POST", "/create-checkout", "user_abc") }
            #expect(answer.status == 504)
            // Ten seconds, and what a machine that is busy with other tests takes.
            #expect(duration < .seconds(20))
        }
    }

    @Test(.tags(.measuresTime)) func anHourOfRetriesIsNotForUs() async throws {
        try await withMarket { market in
            market.stripe.faults.inject(.status(500), times: 2)
            let answer = try await market.call("POST", "/create-checkout", "user_abc")
            #expect(answer.status == 200, "two failures are got past")
            await market.redis.stop()
            let (down, duration) = try await timed { try await market.call("POST", "/create-checkout", "user_abc") }
            #expect(down.status == 503)
            #expect(duration < .milliseconds(300))
        }
    }
}
