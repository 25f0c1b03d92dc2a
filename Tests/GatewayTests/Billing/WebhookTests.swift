import Hiredis
import JSONValue
import RedisClient
import StripeBilling
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// `POST /webhook/stripe`: what is believed, and what follows from it.
@Suite struct WebhookTests {
    @Test func aPaymentCountsAtOnceWithTheOldToken() async throws {
        try await withMarket(gateways: 2) { market in
            let token = try market.token("user_abc")
            for _ in 1...5 { _ = try await HTTP.verify(token, port: market.port) }
            let sixth = try await HTTP.verify(token, port: market.port)
            #expect(sixth.status == 403)
            try await market.buy("user_abc")
            for gateway in market.gateways {
                let paid = try await HTTP.verify(token, port: gateway.publicPort)
                #expect(paid.status == 200)
                #expect(paid.body.contains(#""limit":500,"plan":"paid""#))
            }
            let subscription = try #require(market.subscription(of: "user_abc"))
            let metadata = market.clerk.publicMetadata(of: "user_abc")
            #expect(
                metadata == [
                    "plan": "paid", "stripeCustomerId": subscription["customer"], "subscriptionId": subscription["id"],
                ])
            #expect(market.clerk.updates.count <= 2, "three events of one second are told once or twice")
            try market.stripe.cancel(try #require(subscription["id"].string))
            try await market.webhooksAreDone()
            let cancelled = try await HTTP.verify(token, port: market.port)
            #expect(cancelled.status == 403)
            #expect(cancelled.body.contains(#""limit":5,"plan":"free""#))
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "free")
        }
    }

    @Test func whatOthersKeepInTheMetadataStays() async throws {
        try await withMarket { market in
            market.clerk.addUser(id: "user_abc", publicMetadata: ["role": "editor"])
            try await market.buy("user_abc")
            #expect(market.clerk.publicMetadata(of: "user_abc")?["role"] == "editor")
        }
    }

    @Test func eventsAreCarriedOutOnce() async throws {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription())
            let event = Market.event(
                "checkout.session.completed", Market.checkout(), created: market.time.now())
            let first = try await market.deliver(event)
            #expect(first.status == 200)
            #expect(first.body == #"{"received":true}"#)
            #expect(first.headers["access-control-allow-origin"] == nil)
            let second = try await market.deliver(event)
            #expect(second.status == 200)
            #expect(second.body == #"{"received":true,"idempotent":true}"#)
            #expect(market.clerk.updates.count == 1)
            try await withRedisClient(market.redis.configuration) { redis in
                let done = try await redis.send("GET webhook:stripe:{evt_1}").string
                #expect(done == "2025-11-26T23:00:00Z")
                let kept = try await redis.send("TTL webhook:stripe:{evt_1}").integer ?? 0
                #expect((2_591_000...2_592_000).contains(kept))
            }
        }
    }

    @Test func anEventInWorkIsNotBegunAgain() async throws {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription())
            let event = Market.event("checkout.session.completed", Market.checkout(), created: market.time.now())
            market.clerk.faults.inject(.stall(.seconds(1)))
            async let first = market.deliver(event)
            try await withRedisClient(market.redis.configuration) { redis in
                try await eventually("the event is claimed") {
                    try await redis.send("GET webhook:stripe:{evt_1}").string?.hasPrefix("claimed ") == true
                }
            }
            let second = try await market.deliver(event)
            #expect(second.status == 409)
            #expect(second.member("code") == "event-in-work")
            #expect((1...20).contains(Int(second.headers["retry-after"] ?? "") ?? 0))
            let answer = try await first
            #expect(answer.status == 200)
        }
    }

    // MARK: Signatures

    @Test func signaturesThatProveNothingAreRefused() async throws {
        try await withMarket(settings: ["STRIPE_WEBHOOK_SECRET": "whsec_new,whsec_market"]) { market in
            market.stripe.put(subscription: Market.subscription())
            let now = market.time.now()
            let body = Market.event("checkout.session.completed", Market.checkout(), created: now).text
            let good = WebhookSignature.sign(payload: Array(body.utf8), secret: "whsec_market", at: now)
            let cases: [(signature: String?, body: String, error: String, code: String)] = [
                (nil, body, "No signature", "header-missing"),
                ("", body, "No signature", "header-missing"),
                ("nonsense", body, "Webhook Error: Unable", "header-malformed"),
                ("t=\(now.seconds)", body, "Webhook Error: No signatures found with", "signature-missing"),
                ("t=\(now.seconds),v1=00", body, "Webhook Error: No signatures found matching", "signature-mismatch"),
                (good, body + " ", "Webhook Error: No signatures found matching", "signature-mismatch"),
                (
                    WebhookSignature.sign(payload: Array(body.utf8), secret: "whsec_other", at: now), body,
                    "Webhook Error: No signatures found matching", "signature-mismatch"
                ),
                (
                    WebhookSignature.sign(
                        payload: Array(body.utf8), secret: "whsec_market", at: now.adding(seconds: -301)), body,
                    "Webhook Error: Timestamp outside", "timestamp-too-old"
                ),
                (
                    WebhookSignature.sign(
                        payload: Array(body.utf8), secret: "whsec_market", at: now.adding(seconds: 301)), body,
                    "Webhook Error: Timestamp outside", "timestamp-in-the-future"
                ),
            ]
            for (signature, body, error, code) in cases {
                let answer = try await market.post(body, signature: signature)
                #expect(answer.status == 400)
                #expect(answer.member("error")?.hasPrefix(error) == true, "\(answer.body)")
                #expect(answer.member("code") == code)
            }
            let untouched = try await market.verify("user_abc")
            #expect(untouched.body.contains(#""plan":"free""#))
            for (secret, id) in [("whsec_new", "evt_2"), ("whsec_market", "evt_3")] {
                let event = Market.event("checkout.session.completed", Market.checkout(), id: id, created: now)
                let answer = try await market.deliver(event, secret: secret)
                #expect(answer.status == 200, "both secrets count while one is rolled")
            }
        }
    }

    // MARK: Bodies

    @Test func bodiesThatAreNoEventAreRefused() async throws {
        try await withMarket { market in
            func answer(_ body: String) async throws -> HTTP.Answer {
                let signature = WebhookSignature.sign(
                    payload: Array(body.utf8), secret: Market.webhookSecret, at: market.time.now())
                return try await market.post(body, signature: signature)
            }
            for body in ["", "no JSON", "[]", "{}", #"{"id":"evt_1","type":"invoice.paid"}"#] {
                let refused = try await answer(body)
                #expect(refused.status == 400)
                #expect(refused.member("error")?.hasPrefix("Webhook Error: The body is not") == true)
                #expect(refused.member("code") == "event-malformed")
            }
            let large = try await answer("{\"x\":\"" + String(repeating: "x", count: 1 << 20) + "\"}")
            #expect(large.status == 413)
            let thin = try await answer(
                #"{"id":"evt_1","object":"v2.core.event","type":"v1.invoice.paid","created":"2025-11-26T23:00:00Z"}"#)
            #expect(thin.status == 400)
            #expect(thin.member("code") == "event-thin")
            #expect(thin.member("error")?.contains("Make another endpoint in Stripe's dashboard") == true)
        }
    }

    @Test func whatChangesNothingIsTakenAndCounted() async throws {
        try await withMarket { market in
            let now = market.time.now()
            market.stripe.put(subscription: Market.subscription(user: nil))
            let events = [
                Market.event("product.created", ["id": "prod_1"], id: "evt_1", created: now),
                Market.event("checkout.session.completed", Market.checkout(paid: "unpaid"), id: "evt_2", created: now),
                Market.event(
                    "customer.subscription.updated", Market.subscription(user: nil), id: "evt_3",
                    created: now),
            ]
            for event in events {
                let answer = try await market.deliver(event)
                #expect(answer.status == 200)
                #expect(answer.body == #"{"received":true}"#)
            }
            let metrics = try await HTTP.get("/metrics", port: market.gateways[0].adminPort).body
            #expect(metrics.contains(#"tollgate_webhooks_total{outcome="ignored",reason="other-type"} 1"#))
            #expect(metrics.contains(#"tollgate_webhooks_total{outcome="ignored",reason="not-paid-yet"} 1"#))
            #expect(metrics.contains(#"tollgate_webhooks_total{outcome="unknown_user",reason="subscription"} 1"#))
            #expect(market.clerk.updates.isEmpty)
        }
    }

    /// Of a connected account, whose metadata is not the account's; and of the other mode, where one endpoint has both.
    @Test func eventsThatAreNotTheAccountsOwnAreIgnored() async throws {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription())
            let now = market.time.now()
            var connected = Market.event("customer.subscription.updated", Market.subscription(), created: now)
            connected["account"] = "acct_1"
            let live = Market.event("checkout.session.completed", Market.checkout(), created: now, isLive: true)
            for event in [connected, live] {
                let answer = try await market.deliver(event)
                #expect(answer.status == 200)
                #expect(answer.body == #"{"received":true}"#)
            }
            let metrics = try await market.metrics()
            #expect(metrics.contains(#"tollgate_webhooks_total{outcome="ignored",reason="connected-account"} 1"#))
            #expect(metrics.contains(#"tollgate_webhooks_total{outcome="ignored",reason="other-mode"} 1"#))
            let plan = try await market.plan(of: "user_abc")
            #expect(plan == "free")
        }
    }

    @Test func whatTheAccountSellsBesidesPlansIsLeftAlone() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            let customer = try #require(market.subscription(of: "user_abc")?["customer"])
            let updates = market.clerk.updates.count
            for (type, status) in [("updated", "active"), ("deleted", "canceled")] {
                let object: JSON = [
                    "id": "sub_other", "object": "subscription", "status": .string(status), "customer": customer,
                    "metadata": [:], "items": ["data": [["price": ["id": "price_mug"]]]],
                    "created": .integer(market.time.now().seconds + 100),
                ]
                market.stripe.put(subscription: object)
                let answer = try await market.deliver(
                    Market.event(
                        "customer.subscription.\(type)", object, id: "evt_\(type)",
                        created: market.time.now().adding(seconds: 100)))
                #expect(answer.status == 200)
            }
            let still = try await market.verify("user_abc")
            #expect(still.body.contains(#""plan":"paid""#))
            #expect(market.clerk.updates.count == updates)
        }
    }

    /// Every status of a subscription, and whether the user has the plan in it.
    @Test(arguments: [
        ("active", "paid"), ("trialing", "paid"), ("past_due", "paid"), ("unpaid", "free"), ("canceled", "free"),
        ("incomplete", "free"), ("incomplete_expired", "free"), ("paused", "free"), ("frozen", "free"),
    ])
    func statusesGrantOrDoNot(status: String, plan: String) async throws {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription(status))
            let event = Market.event(
                "customer.subscription.updated", Market.subscription(status), created: market.time.now())
            let answer = try await market.deliver(event)
            #expect(answer.status == 200)
            let verified = try await market.verify("user_abc")
            #expect(verified.body.contains(#""plan":"\#(plan)""#))
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == .string(plan))
        }
    }

    @Test func graceRunsOut() async throws {
        try await withMarket(settings: ["STRIPE_PAST_DUE_GRACE_DAYS": "2"]) { market in
            try await market.buy("user_abc")
            let id = try #require(market.subscription(of: "user_abc")?["id"].string)
            market.time.advance(seconds: 60)
            try market.stripe.collect(id, succeeds: false)
            try await market.webhooksAreDone()
            for (seconds, plan) in [(2 * 86_400 - 1, "paid"), (1, "free")] {
                market.time.advance(seconds: Int64(seconds))
                // Newer than the record, so what it claims would count.
                let token = try market.token("user_abc", plan: nil)
                let answer = try await HTTP.verify(token, port: market.port)
                #expect(answer.body.contains(#""plan":"\#(plan)""#))
            }
            try market.stripe.collect(id, succeeds: true)
            try await market.webhooksAreDone()
            let paid = try await market.verify("user_abc")
            #expect(paid.body.contains(#""plan":"paid""#), "the customer has paid after all")
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "paid")
        }
    }

    /// Without the subscription's own events a payment still tells: Stripe is asked what follows from it.
    @Test func paymentsAloneAreEnough() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            let subscription = try #require(market.subscription(of: "user_abc"))
            market.stripe.webhooks.url = nil
            market.time.advance(seconds: 60)
            try market.stripe.cancel(try #require(subscription["id"].string))
            let invoice: JSON = [
                "id": "in_1", "object": "invoice", "customer": subscription["customer"],
                "parent": ["subscription_details": ["subscription": subscription["id"]]],
            ]
            let answer = try await market.deliver(
                Market.event("invoice.payment_failed", invoice, created: market.time.now()))
            #expect(answer.status == 200)
            let ended = try await market.verify("user_abc")
            #expect(ended.body.contains(#""plan":"free""#))
        }
    }

    // MARK: Faults

    @Test(arguments: [
        Fault.status(500), .status(503), .status(429, retryAfterSeconds: 30), .status(408), .html(502), .html(403),
        .html(200), .stall(.seconds(20)),
    ])
    func whileClerkFailsStripeIsToldToComeAgain(fault: Fault) async throws {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription())
            market.clerk.faults.inject(fault, times: 10)
            let event = Market.event("checkout.session.completed", Market.checkout(), created: market.time.now())
            let (answer, duration) = try await timed { try await market.deliver(event) }
            if fault == .html(200) {
                // Clerk says that it is done; what it says besides is not read.
                #expect(answer.status == 200)
                return
            }
            #expect(answer.status == 500)
            #expect(answer.member("error") == "Failed to update user metadata")
            #expect(answer.headers["retry-after"] != nil)
            #expect(!answer.body.contains("sk_test"))
            #expect(duration < .seconds(5), "Clerk has a deadline")
            let paid = try await market.verify("user_abc")
            #expect(paid.body.contains(#""plan":"paid""#), "who has paid does not wait for Clerk")
            market.clerk.faults.clear()
            let again = try await market.deliver(event)
            #expect(again.status == 200)
            #expect(again.body == #"{"received":true}"#, "it was not done before")
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "paid")
        }
    }

    /// It would be refused for three days, and the plan counts already.
    @Test(arguments: [400, 401, 403, 410, 413, 422]) func whatClerkRefusesForGoodHoldsNothingUp(status: Int)
        async throws
    {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription())
            market.clerk.faults.inject(.status(status), times: 10)
            let event = Market.event("checkout.session.completed", Market.checkout(), created: market.time.now())
            let answer = try await market.deliver(event)
            #expect(answer.status == 200)
            #expect(answer.body == #"{"received":true}"#)
            let again = try await market.deliver(event)
            #expect(again.body == #"{"received":true,"idempotent":true}"#)
            let plan = try await market.plan(of: "user_abc")
            #expect(plan == "paid")
            let metrics = try await market.metrics()
            #expect(metrics.contains(#"tollgate_clerk_errors_total{kind="refused"} 1"#))
            market.clerk.faults.clear()
            let next = try await market.deliver(
                Market.event("checkout.session.completed", Market.checkout(), id: "evt_2", created: market.time.now()))
            #expect(next.status == 200)
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "paid", "the next event tells it again")
        }
    }

    @Test func whileClerkIsDownStripeIsToldToComeAgain() async throws {
        try await withMarket(settings: ["CLERK_API_URL": "http://127.0.0.1:1"]) { market in
            market.stripe.put(subscription: Market.subscription())
            let event = Market.event("checkout.session.completed", Market.checkout(), created: market.time.now())
            for _ in 1...2 {
                let answer = try await market.deliver(event)
                #expect(answer.status == 500)
                #expect(answer.member("error") == "Failed to update user metadata")
            }
        }
    }

    @Test func usersThatClerkHasDeletedHoldNothingUp() async throws {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription())
            market.clerk.deleteUser(id: "user_abc")
            let answer = try await market.deliver(
                Market.event("checkout.session.completed", Market.checkout(), created: market.time.now()))
            #expect(answer.status == 200)
        }
    }

    /// What an event says is a reason to ask Stripe; as long as it does not answer, the event waits.
    @Test(arguments: [Fault.status(500), .html(502), .stall(.seconds(20)), .status(429)])
    func eventsWaitForStripe(fault: Fault) async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            let subscription = try #require(market.subscription(of: "user_abc"))
            market.stripe.faults.inject(fault, times: 10)
            var past = subscription
            past["status"] = "unpaid"
            let event = Market.event("customer.subscription.updated", past, created: market.time.now())
            let (answer, duration) = try await timed { try await market.deliver(event) }
            #expect(answer.status == 503 || answer.status == 504)
            #expect(answer.member("code") == "payment-provider-unavailable")
            #expect(duration < .seconds(6))
            market.stripe.faults.clear()
            let again = try await market.deliver(event)
            #expect(again.status == 200)
            let verified = try await market.verify("user_abc")
            #expect(verified.body.contains(#""plan":"paid""#), "Stripe says that it is active")
        }
    }

    @Test func withoutRedisStripeIsToldToComeAgain() async throws {
        try await withMarket { market in
            let event = Market.event("checkout.session.completed", Market.checkout(), created: market.time.now())
            await market.redis.stop()
            let answer = try await market.deliver(event)
            #expect(answer.status == 503)
            #expect(answer.member("code") == "service-unavailable")
        }
    }

    @Test func withoutAKeyForClerkTheRecordAloneCounts() async throws {
        try await withMarket(settings: ["CLERK_SECRET_KEY": ""]) { market in
            try await market.buy("user_abc")
            let verified = try await market.verify("user_abc")
            #expect(verified.body.contains(#""plan":"paid""#))
            #expect(market.clerk.updates.isEmpty)
        }
    }
}
