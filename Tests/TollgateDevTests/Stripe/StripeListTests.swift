import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev

/// The lists of the API, and the customers that they are about.
@Suite(.timeLimit(.minutes(6)))
struct StripeListTests {
    private func ids(_ answer: APIClient.Answer) -> [String] {
        (answer.json["data"].elements ?? []).compactMap { $0["id"].string }
    }

    @Test
    func makesCustomers() async throws {
        try await withStripe { stripe, api, time in
            let form = "email=a%40app.test&metadata[userId]=user_1"
            let made = try await api.form("/v1/customers", form, key: "k")
            #expect(made.status == 200)
            let id = try #require(made.json["id"].string)
            #expect(id.hasPrefix("cus_"))
            #expect(made.json["email"] == "a@app.test")
            #expect(made.json["metadata"] == ["userId": "user_1"])
            #expect(made.json["created"].integer == time.now().seconds)
            let again = try await api.form("/v1/customers", form, key: "k")
            #expect(again.body == made.body)
            let read = try await api.get("/v1/customers/\(id)")
            #expect(read.json == made.json)
            #expect(stripe.customers.count == 1)
            #expect(stripe.webhooks.events.map { $0["type"] } == ["customer.created"])
            let surprise = try await api.form("/v1/customers", "colour=red")
            #expect(surprise.json["error"]["code"].string == "parameter_unknown")
        }
    }

    @Test
    func listsSubscriptionsPageByPage() async throws {
        try await withStripe { stripe, api, time in
            stripe.addCustomer("cus_1")
            stripe.addCustomer("cus_2")
            var mine: [String] = []
            for index in 0..<5 {
                time.advance(milliseconds: 1000)
                mine.insert(try stripe.subscribe("cus_1", to: ["price_\(index)"]), at: 0)
                try stripe.subscribe("cus_2", to: ["price_\(index)"])
            }
            try stripe.cancel(mine[1])

            let mineOnly = "/v1/subscriptions?customer=cus_1"
            let living = try await api.get(mineOnly)
            #expect(ids(living) == [mine[0], mine[2], mine[3], mine[4]], "the newest first, without the cancelled")
            #expect(living.json["has_more"] == false)
            let all = try await api.get("\(mineOnly)&status=all&limit=2")
            #expect(ids(all) == Array(mine[..<2]))
            #expect(all.json["has_more"] == true)
            let next = try await api.get("\(mineOnly)&status=all&limit=3&starting_after=\(mine[1])")
            #expect(ids(next) == Array(mine[2...]))
            #expect(next.json["has_more"] == false)
            let before = try await api.get("\(mineOnly)&status=all&limit=2&ending_before=\(mine[4])")
            #expect(ids(before) == [mine[2], mine[3]], "those that are just newer")
            #expect(before.json["has_more"] == true)
            let ended = try await api.get("\(mineOnly)&status=canceled")
            #expect(ids(ended) == [mine[1]])
            let priced = try await api.get("\(mineOnly)&price=price_0")
            #expect(ids(priced) == [mine[4]])
            let whole = try await api.get("/v1/subscriptions?status=all&limit=100")
            #expect(ids(whole).count == 10)
            let since = try await api.get("\(mineOnly)&created[gte]=\(time.now().seconds)")
            #expect(ids(since) == [mine[0]])
        }
    }

    @Test(arguments: [
        ("limit=0", "parameter_invalid_integer", "limit"), ("limit=101", "parameter_invalid_integer", "limit"),
        ("status=live", nil, "status"), ("surprise=1", "parameter_unknown", "surprise"),
        ("customer=cus_x", "resource_missing", "customer"),
        ("starting_after=sub_x", "resource_missing", "starting_after"),
    ])
    func refusesQueries(_ query: String, code: String?, parameter: String) async throws {
        try await withStripe { _, api, _ in
            let answer = try await api.get("/v1/subscriptions?\(query)")
            #expect(answer.status == 400)
            #expect(answer.json["error"]["code"].string == code)
            #expect(answer.json["error"]["param"].string == parameter)
        }
    }

    @Test
    func listsCheckoutSessionsAndEndsThem() async throws {
        try await withStripe { stripe, api, time in
            stripe.addCustomer("cus_1")
            let first = try await api.checkout("\(upgrade)&customer=cus_1")
            time.advance(milliseconds: 60_000)
            let second = try await api.checkout("\(upgrade)&customer=cus_1")
            let third = try await api.checkout()
            let open = "/v1/checkout/sessions?customer=cus_1&status=open"
            var listed = try await api.get(open)
            #expect(ids(listed) == [second, first])

            let ended = try await api.form("/v1/checkout/sessions/\(second)/expire", "")
            #expect(ended.json["status"] == "expired")
            #expect(ended.json["url"] == .null)
            #expect(stripe.webhooks.events.map { $0["type"] } == ["checkout.session.expired"])
            let again = try await api.form("/v1/checkout/sessions/\(second)/expire", "")
            #expect(again.status == 400)
            #expect(throws: (any Error).self) { try stripe.pay(second) }
            listed = try await api.get(open)
            #expect(ids(listed) == [first])

            try stripe.pay(third)
            let complete = try await api.get("/v1/checkout/sessions?status=complete")
            #expect(ids(complete) == [third])
            time.advance(milliseconds: 86_400_000 - 60_000)
            listed = try await api.get(open)
            #expect(ids(listed).isEmpty, "a day later it has ended by itself")
            let read = try await api.get("/v1/checkout/sessions/\(first)")
            #expect(read.json["status"] == "expired")
            let page = try await APIClient(url: api.url).get("/pay/\(first)")
            #expect(page.body.contains("has expired"))
        }
    }

    /// What the gateway has missed is what a reconciliation asks for.
    @Test
    func listsEventsByTheirDelivery() async throws {
        let receiver = WebhookReceiver()
        try await receiver.listen { url in
            try await withStripe { stripe, api, time in
                stripe.webhooks.url = url
                let taken = stripe.emit(type: "customer.subscription.updated", object: ["id": "sub_1"])
                try await eventually { stripe.webhooks.isDelivered(taken) }
                stripe.webhooks.behaviour.isDelivering = false
                time.advance(milliseconds: 10_000)
                let missed = stripe.emit(type: "customer.subscription.deleted", object: ["id": "sub_1"])
                let other = stripe.emit(type: "invoice.paid", object: ["id": "in_1"])
                stripe.webhooks.behaviour.isDelivering = true
                #expect(stripe.webhooks.pendingCount == 0, "they are not tried later")

                func listed(_ query: String) async throws -> [String] { ids(try await api.get("/v1/events?\(query)")) }
                #expect(try await listed("") == [other, missed, taken])
                #expect(try await listed("delivery_success=false") == [other, missed])
                #expect(try await listed("delivery_success=true") == [taken])
                let since = "created[gte]=\(time.now().seconds)"
                #expect(try await listed("\(since)&types[]=customer.subscription.deleted&types[]=x") == [missed])
                #expect(try await listed("type=customer.subscription.*") == [missed, taken])
                #expect(try await listed("delivery_success=false&limit=1&starting_after=\(other)") == [missed])
                let one = try await api.get("/v1/events/\(missed)")
                #expect(one.json["pending_webhooks"] == 1)
                #expect(one.json["data"]["object"]["id"] == "sub_1")

                stripe.webhooks.resend(missed)
                try await eventually { stripe.webhooks.isDelivered(missed) }
                #expect(try await listed("delivery_success=false") == [other])
                #expect(receiver.received.count == 2)
                time.advance(milliseconds: 31 * 86_400_000)
                #expect(try await listed("").isEmpty, "events are kept for 30 days")
            }
        }
    }

    @Test
    func eventsAreLostAsATestWants() async throws {
        let receiver = WebhookReceiver()
        try await receiver.listen { url in
            try await withStripe { stripe, _, _ in
                stripe.webhooks.url = url
                stripe.webhooks.behaviour.loses = { $0["type"] == "lost" }
                stripe.emit(type: "lost", object: [:])
                let kept = stripe.emit(type: "kept", object: [:])
                try await eventually { stripe.webhooks.isDelivered(kept) }
                #expect(receiver.received.map(\.type) == ["kept"])
                #expect(stripe.webhooks.events.count == 2)
            }
        }
    }

    @Test
    func refusesTooManyCallsInASecond() async throws {
        try await withStripe(configure: { $0.callsPerSecond = 0 }) { stripe, api, _ in
            for _ in 1...2 {
                let answer = try await api.get("/v1/customers/cus_1")
                #expect(answer.status == 429)
                #expect(answer.json["error"]["code"] == "rate_limit")
            }
            #expect((1...2).contains(stripe.busiestSecond))
        }
        try await withStripe { stripe, api, _ in
            #expect(stripe.busiestSecond == 0)
            let answer = try await api.get("/v1/customers/cus_1")
            #expect(answer.status == 404, "without a limit each is answered")
            #expect(stripe.busiestSecond == 1)
        }
    }

    @Test
    func tellsWhatAPaymentWasFor() async throws {
        try await withStripe { stripe, api, _ in
            stripe.addCustomer("cus_1")
            let subscription = try stripe.subscribe("cus_1", to: ["price_a"])
            try stripe.refund(subscription)
            let charge = try #require(stripe.webhooks.events.last?["data"]["object"])
            let intent = try #require(charge["payment_intent"].string)
            let query = "payment[type]=payment_intent&payment[payment_intent]=\(intent)"
            let payments = try await api.get("/v1/invoice_payments?\(query)")
            let invoice = try #require(payments.json["data"].elements?.first?["invoice"].string)
            #expect(payments.json["data"].elements?.count == 1)
            let read = try await api.get("/v1/invoices/\(invoice)")
            #expect(read.json["parent"]["subscription_details"]["subscription"].string == subscription)
            let again = try await api.get("/v1/charges/\(charge["id"].string ?? "")")
            #expect(again.json["refunded"] == true)
        }
    }
}
