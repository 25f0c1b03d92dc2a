import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev

@Suite(.timeLimit(.minutes(6)))
struct StripePagesTests {
    /// A browser: it has no key.
    private func browser(_ api: APIClient) -> APIClient { APIClient(url: api.url) }

    @Test
    func payingMakesASubscriptionAndSaysSo() async throws {
        try await withStripe { stripe, api, time in
            let id = try await api.checkout("\(upgrade)&customer_email=a%2Bb%40app.test")
            let page = try await browser(api).get("/pay/\(id)")
            #expect(page.status == 200)
            #expect(page.header("Content-Security-Policy")?.hasPrefix("default-src 'none'") == true)
            #expect(page.body.contains("$29.00"))
            #expect(page.body.contains("<form method=\"post\" action=\"/pay/\(id)\"><button>Pay</button></form>"))
            #expect(page.body.contains("<a href=\"http://app.test/dashboard?payment=cancelled\">Cancel</a>"))

            let paid = try await browser(api).send("POST", "/pay/\(id)")
            #expect(paid.status == 303)
            let target = "http://app.test/dashboard?payment=success&session=\(id)"
            #expect(paid.header("Location") == target)

            let events = stripe.webhooks.events
            #expect(
                events.map { $0["type"].string } == [
                    "checkout.session.completed", "customer.subscription.created", "invoice.paid",
                ])
            #expect(Set(events.map { $0["id"] }).count == 3)
            for event in events {
                #expect(event["object"].string == "event")
                #expect(event["api_version"].string == "2026-10-28.endive")
                #expect(event["created"].integer == time.now().seconds)
                #expect(event["livemode"] == false)
            }
            try checkObjects(events.map { $0["data"]["object"] }, stripe: stripe)
            let session = try await api.get("/v1/checkout/sessions/\(id)")
            #expect(session.json == events[0]["data"]["object"])
        }
    }

    @Test
    func eventsCanBeSentAgainAndOtherwise() async throws {
        let receiver = WebhookReceiver()
        try await receiver.listen { url in
            try await withStripe { stripe, api, _ in
                stripe.webhooks.url = url
                let browser = browser(api)
                let empty = try await browser.get("/")
                #expect(empty.body.contains("No events yet."))
                let id = stripe.emit(type: "product.<b>", object: ["id": "prod_1"])
                try await eventually("the event is delivered") { receiver.received.count == 1 }
                try await eventually("its answer is told") {
                    try await browser.get("/").body.contains("<td>200</td>")
                }
                let page = try await browser.get("/")
                #expect(page.body.contains("<code>product.&lt;b&gt;</code>"))
                #expect(page.body.contains("action=\"/events/\(id)/resend\""))
                let again = try await browser.send("POST", "/events/\(id)/resend")
                #expect(again.status == 303)
                try await eventually("the event is delivered again") { receiver.received.count == 2 }

                let set = try await browser.send(
                    "POST", "/deliveries", body: "copies=9&order=mixed", type: "application/x-www-form-urlencoded")
                #expect(set.status == 303)
                #expect(stripe.webhooks.behaviour.copies == 5, "no more than the form offers")
                #expect(stripe.webhooks.behaviour.isConcurrent)
                #expect(stripe.webhooks.behaviour.shuffleSeed != nil)
                stripe.emit(type: "product.created", object: ["id": "prod_1"])
                try await eventually("five copies are delivered") { receiver.received.count == 7 }
                _ = try await browser.send(
                    "POST", "/deliveries", body: "order=kept", type: "application/x-www-form-urlencoded")
                #expect(stripe.webhooks.behaviour.shuffleSeed == nil)
            }
        }
    }

    private func checkObjects(_ objects: [JSON], stripe: StripeStandIn) throws {
        let (session, subscription, invoice) = (objects[0], objects[1], objects[2])
        let customer = try #require(stripe.customers.values.first)
        #expect(session["payment_status"].string == "paid")
        #expect(session["status"].string == "complete")
        #expect(session["customer_details"]["email"].string == "a+b@app.test")
        #expect(session["url"] == .null)
        #expect(objects.allSatisfy { $0["customer"] == customer["id"] })
        #expect(session["subscription"] == subscription["id"])
        #expect(subscription["status"].string == "active")
        #expect(subscription["metadata"] == ["userId": "user_1", "tier": "paid"])
        #expect(subscription["current_period_end"] == .null, "it is the item's since basil")
        let item = try #require(subscription["items"]["data"].elements?.first)
        #expect(item["price"]["id"].string == "price_pro")
        let (start, end) = (item["current_period_start"].integer, item["current_period_end"].integer)
        #expect(try #require(end) - #require(start) == 30 * 86_400)
        #expect(invoice["subscription"] == .null, "it is in the parent since basil")
        let parent = invoice["parent"]["subscription_details"]
        #expect(parent["subscription"] == subscription["id"])
        #expect(parent["metadata"] == subscription["metadata"])
        #expect(invoice["amount_paid"].integer == 2_900)
    }

    @Test
    func payingTwiceIsPayingOnce() async throws {
        try await withStripe { stripe, api, _ in
            let id = try await api.checkout()
            for _ in 1...2 {
                let paid = try await browser(api).send("POST", "/pay/\(id)")
                #expect(paid.status == 303)
            }
            #expect(stripe.subscriptions.count == 1)
            #expect(stripe.webhooks.events.count == 3)
            let page = try await browser(api).get("/pay/\(id)")
            #expect(page.body.contains("<button>") == false)
        }
    }

    /// Whoever comes back from the page finds the gateway told.
    @Test
    func buttonsAnswerWhenTheWebhooksAreTaken() async throws {
        let receiver = WebhookReceiver(statuses: [500, 409])
        try await receiver.listen { url in
            try await withStripe { stripe, api, _ in
                stripe.webhooks.url = url
                let id = try await api.checkout()
                let paid = try await browser(api).send("POST", "/pay/\(id)")
                #expect(paid.status == 303)
                #expect(
                    Set(receiver.received.map(\.type)) == [
                        "checkout.session.completed", "customer.subscription.created", "invoice.paid",
                    ])
                #expect(receiver.received.count == 5, "two were refused at first")
                #expect(stripe.webhooks.pendingCount == 0)

                let subscription = try #require(stripe.subscriptions.keys.first)
                let customer = try #require(stripe.customers.keys.first)
                let portal = try await api.form("/v1/billing_portal/sessions", "customer=\(customer)")
                let page = try #require(portal.json["url"].string)
                let cancelled = try await browser(api).send("POST", "\(page)/subscriptions/\(subscription)/cancel")
                #expect(cancelled.status == 303)
                #expect(receiver.received.last?.type == "customer.subscription.deleted")
            }
        }
    }

    @Test
    func buttonSaysThatTheWebhooksAreNotTaken() async throws {
        let receiver = WebhookReceiver(statuses: Array(repeating: 500, count: 4))
        try await receiver.listen { url in
            try await withStripe { stripe, api, _ in
                stripe.webhooks.url = url
                stripe.webhooks.behaviour.maximumAttempts = 1
                let id = try await api.checkout()
                let paid = try await browser(api).send("POST", "/pay/\(id)")
                #expect(paid.status == 502)
                #expect(paid.body.contains("<code>\(url)</code> has not taken the"))
                #expect(
                    paid.body.contains("<code>invoice.paid</code> was answered 500, and will not be tried again."))
                let location = "http://app.test/dashboard?payment=success&amp;session=\(id)"
                #expect(paid.body.contains("<a href=\"\(location)\">go on</a>"))
                #expect(stripe.subscriptions.count == 1, "it is paid all the same")
            }
        }
    }

    /// Webhooks that are late for a test's sake hold up no page for ever.
    @Test
    func buttonWaitsNoLongerThanItsPatience() async throws {
        let receiver = WebhookReceiver()
        try await receiver.listen { url in
            try await withStripe { stripe, api, _ in
                stripe.webhooks.url = url
                stripe.webhooks.behaviour.patience = .milliseconds(20)
                stripe.webhooks.hold()
                let id = try await api.checkout()
                let paid = try await browser(api).send("POST", "/pay/\(id)")
                #expect(paid.status == 502)
                #expect(paid.body.contains("<code>invoice.paid</code> was not answered, and will be tried again."))
                let again = try await browser(api).send("POST", "/pay/\(id)")
                #expect(again.status == 502, "a second click waits, too")
                stripe.webhooks.release()
                try await eventually("they come") { receiver.received.count == 3 }
            }
        }
    }

    @Test
    func knownCustomerStaysOne() async throws {
        try await withStripe { stripe, api, _ in
            stripe.addCustomer("cus_1", email: "a@app.test")
            let both = try await api.form(
                "/v1/checkout/sessions", "\(upgrade)&customer=cus_1&customer_email=b@app.test")
            #expect(both.status == 400)
            try stripe.pay(try await api.checkout("\(upgrade)&customer=cus_1"))
            #expect(stripe.customers.keys.sorted() == ["cus_1"])
            #expect(stripe.subscriptions.values.allSatisfy { $0["customer"].string == "cus_1" })
        }
    }

    @Test
    func trialCostsNothingYet() async throws {
        try await withStripe { stripe, api, time in
            try stripe.pay(try await api.checkout("\(upgrade)&subscription_data[trial_period_days]=7"))
            let objects = stripe.webhooks.events.map { $0["data"]["object"] }
            #expect(objects[0]["payment_status"].string == "no_payment_required")
            #expect(objects[1]["status"].string == "trialing")
            #expect(objects[1]["trial_end"].integer == time.now().seconds + 7 * 86_400)
            #expect(objects[2]["amount_paid"].integer == 0)
        }
    }

    @Test
    func sessionsExpire() async throws {
        try await withStripe { stripe, api, time in
            let id = try await api.checkout()
            time.advance(milliseconds: 86_400_000)
            let paid = try await browser(api).send("POST", "/pay/\(id)")
            #expect(paid.status == 400)
            #expect(paid.body.contains("expired"))
            #expect(stripe.webhooks.events.isEmpty)
        }
    }

    @Test
    func pagesAreEscaped() async throws {
        try await withStripe { _, api, _ in
            let form = upgrade.split(separator: "&").filter { !$0.hasPrefix("client_reference_id") }
                .joined(separator: "&")
            let id = try await api.checkout("\(form)&client_reference_id=%3Cscript%3E%22%27%26")
            let page = try await browser(api).get("/pay/\(id)")
            #expect(page.body.contains("<code>&lt;script&gt;&quot;&#39;&amp;</code>"))
            let none = try await browser(api).get("/pay/%3Cscript%3E")
            #expect(none.status == 404)
            #expect(none.body.contains("<script>") == false)
        }
    }

    @Test
    func portalCancelsOnce() async throws {
        try await withStripe { stripe, api, time in
            try stripe.pay(try await api.checkout())
            let subscription = try #require(stripe.subscriptions.keys.first)
            let customer = try #require(stripe.customers.keys.first)
            let portal = try await api.form(
                "/v1/billing_portal/sessions", "customer=\(customer)&return_url=http://app.test/dashboard")
            let url = try #require(portal.json["url"].string)
            #expect(url.hasPrefix("\(stripe.url)/portal/bps_"))
            let page = try await browser(api).get(url)
            #expect(page.body.contains("<code>\(subscription)</code>: active"))
            #expect(page.body.contains("<button>Cancel subscription</button>"))

            time.advance(milliseconds: 5_000)
            for _ in 1...2 {
                let answer = try await browser(api).send("POST", "\(url)/subscriptions/\(subscription)/cancel")
                #expect(answer.status == 303)
                #expect(answer.header("Location") == "http://app.test/dashboard")
            }
            let event = try #require(stripe.webhooks.events.last)
            #expect(stripe.webhooks.events.count == 4)
            #expect(event["type"].string == "customer.subscription.deleted")
            #expect(event["data"]["object"]["status"].string == "canceled")
            #expect(event["data"]["object"]["ended_at"].integer == time.now().seconds)
            #expect(event["data"]["object"]["metadata"]["userId"].string == "user_1")
            let read = try await api.get("/v1/subscriptions/\(subscription)")
            #expect(read.json["status"].string == "canceled")
            let after = try await browser(api).get(url)
            #expect(after.body.contains("/subscriptions/\(subscription)/") == false)
        }
    }

    @Test
    func portalFailsAndMendsPayments() async throws {
        try await withStripe { stripe, api, _ in
            try stripe.pay(try await api.checkout())
            let subscription = try #require(stripe.subscriptions.keys.first)
            let customer = try #require(stripe.customers.keys.first)
            let portal = try await api.form("/v1/billing_portal/sessions", "customer=\(customer)")
            let url = try #require(portal.json["url"].string)
            for (button, status, invoice) in [
                ("fail", "past_due", "invoice.payment_failed"), ("collect", "active", "invoice.paid"),
            ] {
                let answer = try await browser(api).send("POST", "\(url)/subscriptions/\(subscription)/\(button)")
                #expect(answer.status == 303)
                let events = stripe.webhooks.events.suffix(2)
                #expect(events.map { $0["type"].string } == ["customer.subscription.updated", invoice])
                let updated = try #require(events.first)
                #expect(updated["data"]["object"]["status"].string == status)
                #expect(updated["data"]["previous_attributes"]["status"].string != status)
            }
        }
    }

    @Test
    func portalShowsOneCustomer() async throws {
        try await withStripe { stripe, api, _ in
            try stripe.pay(try await api.checkout())
            let subscription = try #require(stripe.subscriptions.keys.first)
            stripe.addCustomer("cus_other")
            let portal = try await api.form("/v1/billing_portal/sessions", "customer=cus_other")
            let url = try #require(portal.json["url"].string)
            let page = try await browser(api).get(url)
            #expect(page.body.contains("No subscriptions"))
            let answer = try await browser(api).send("POST", "\(url)/subscriptions/\(subscription)/cancel")
            #expect(answer.status == 404)
            #expect(stripe.subscriptions[subscription]?["status"].string == "active")
        }
    }
}
