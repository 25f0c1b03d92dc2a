import JSONValue
import TestSupport
import Testing
import TollgateDev

/// What the pages let a developer walk by hand.
@Suite(.timeLimit(.minutes(6)))
struct StripePortalTests {
    private static let form = "application/x-www-form-urlencoded"

    /// Runs `body` with a customer who has just bought, and the portal's page.
    private func withPortal(
        _ body: (StripeStandIn, APIClient, _ portal: String, _ subscription: String) async throws -> Void
    ) async throws {
        try await withStripe { stripe, api, _ in
            try stripe.pay(try await api.checkout())
            let customer = try #require(stripe.customers.keys.first)
            let portal = try await api.form("/v1/billing_portal/sessions", "customer=\(customer)")
            let url = try #require(portal.json["url"].string)
            try await body(stripe, APIClient(url: api.url), url, try #require(stripe.subscriptions.keys.first))
        }
    }

    /// Each button, and what the subscription is then.
    @Test(
        arguments: [
            ("cancel-later", "", "cancel_at_period_end", JSON.bool(true)),
            ("cancel-in-days", "days=3", "cancel_at", .integer(1_764_198_000 + 3 * 86_400)),
            ("pause-collection", "", "pause_collection", ["behavior": "void", "resumes_at": nil]),
            ("pause", "", "status", "paused"),
        ] as [(String, String, String, JSON)])
    func buttonsChangeTheSubscription(_ action: String, _ form: String, _ member: String, _ value: JSON) async throws {
        try await withPortal { stripe, browser, portal, subscription in
            let answer = try await browser.send(
                "POST", "\(portal)/subscriptions/\(subscription)/\(action)", body: form, type: Self.form)
            #expect(answer.status == 303)
            #expect(stripe.subscriptions[subscription]?[member] == value)
            let undo = ["cancel-later": "keep", "cancel-in-days": "keep", "pause-collection": "resume-collection"]
            let page = try await browser.get(portal)
            let back = undo[action] ?? "resume"
            #expect(page.body.contains("/subscriptions/\(subscription)/\(back)\""), "what can be undone has a button")
            _ = try await browser.send("POST", "\(portal)/subscriptions/\(subscription)/\(back)")
            #expect(stripe.subscriptions[subscription]?[member] != value)
        }
    }

    @Test
    func pricesAreChangedInTheForm() async throws {
        try await withPortal { stripe, browser, portal, subscription in
            let page = try await browser.get(portal)
            #expect(page.body.contains("<input name=\"prices\" value=\"price_pro\""))
            let path = "\(portal)/subscriptions/\(subscription)/prices"
            let answer = try await browser.send("POST", path, body: "prices=price_x,+price_y", type: Self.form)
            #expect(answer.status == 303)
            let items = stripe.subscriptions[subscription]?["items"]["data"].elements
            #expect(items?.map { $0["price"]["id"] } == ["price_x", "price_y"])
            let wrong = try await browser.send("POST", path, body: "prices=%3Cb%3E", type: Self.form)
            #expect(wrong.status == 404)
            #expect(wrong.body.contains("&lt;b&gt;"))
        }
    }

    @Test
    func aCustomerBuysOnceMoreAndLeaves() async throws {
        try await withPortal { stripe, browser, portal, _ in
            let more = try await browser.send("POST", "\(portal)/subscribe", body: "prices=price_x", type: Self.form)
            #expect(more.status == 303)
            #expect(stripe.subscriptions.count == 2)
            #expect(stripe.subscriptions.values.allSatisfy { $0["metadata"]["userId"] == "user_1" })
            let gone = try await browser.send("POST", "\(portal)/delete")
            #expect(gone.status == 303)
            #expect(stripe.subscriptions.values.allSatisfy { $0["status"] == "canceled" })
            let unknown = try await browser.send("POST", "\(portal)/dance")
            #expect(unknown.status == 404)
        }
    }

    /// A missed webhook can be walked: the page goes on at once, and nothing comes later by itself.
    @Test
    func webhooksAreSwitchedOffAndOn() async throws {
        let receiver = WebhookReceiver()
        try await receiver.listen { url in
            try await withStripe { stripe, api, _ in
                stripe.webhooks.url = url
                let browser = APIClient(url: api.url)
                let off = try await browser.send("POST", "/deliveries", body: "webhooks=off", type: Self.form)
                #expect(off.status == 303)
                let page = try await browser.get("/")
                #expect(page.body.contains("<option value=\"off\" selected>"))
                let id = try await api.checkout()
                let paid = try await browser.send("POST", "/pay/\(id)")
                #expect(paid.status == 303, "nothing is waited for")
                #expect(stripe.webhooks.events.count == 3)
                let missed = try await browser.get("/")
                #expect(missed.body.contains("<td>not delivered</td>"))

                _ = try await browser.send("POST", "/deliveries", body: "webhooks=on", type: Self.form)
                try stripe.cancel(try #require(stripe.subscriptions.keys.first))
                try await eventually { stripe.webhooks.pendingCount == 0 }
                #expect(receiver.received.map(\.type) == ["customer.subscription.deleted"])
            }
        }
    }
}
