import NIOHTTP1
import OutboundCalls
import StripeBilling
import Testing
import TollgateCore

private let session = #"{"id":"cs_1","object":"checkout.session","url":"https://checkout.stripe.com/c/1"}"#

/// What is sent to Stripe, and what is made of its answers.
@Suite struct StripeClientTests {
    private func checkout(customerID: String? = nil) throws -> CheckoutRequest {
        CheckoutRequest(
            userID: try #require(UserID("user_1")), tier: "paid", priceID: "price_1",
            successURL: "https://app.example/dashboard?payment=success", cancelURL: "https://app.example/",
            customerID: customerID)
    }

    @Test func aCheckout() async throws {
        try await StripeServer.with(.json(200, session)) { server, url in
            let made = try await stripeClient(url).createCheckoutSession(try checkout(), idempotencyKey: "key_1")
            #expect(made.id == "cs_1")
            #expect(made.url == "https://checkout.stripe.com/c/1")

            #expect(server.requests.count == 1)
            let request = try #require(server.requests.first)
            #expect(request.method == .POST)
            #expect(request.path == "/v1/checkout/sessions")
            #expect(request.headers["authorization"] == ["Bearer \(testKey)"])
            #expect(request.headers["stripe-version"] == ["2026-10-28.endive"])
            #expect(request.headers["idempotency-key"] == ["key_1"])
            #expect(request.headers["content-type"] == ["application/x-www-form-urlencoded"])
            #expect(
                request.body.split(separator: "&") == [
                    "mode=subscription", "line_items[0][price]=price_1", "line_items[0][quantity]=1",
                    "success_url=https%3A%2F%2Fapp.example%2Fdashboard%3Fpayment%3Dsuccess",
                    "cancel_url=https%3A%2F%2Fapp.example%2F", "client_reference_id=user_1",
                    "metadata[userId]=user_1", "metadata[tier]=paid", "metadata[priceId]=price_1",
                    "subscription_data[metadata][userId]=user_1", "subscription_data[metadata][tier]=paid",
                    "subscription_data[metadata][priceId]=price_1",
                ])
        }
    }

    @Test func aCheckoutOfAKnownCustomer() async throws {
        try await StripeServer.with(.json(200, session)) { server, url in
            _ = try await stripeClient(url)
                .createCheckoutSession(try checkout(customerID: "cus_1"), idempotencyKey: "k")
            #expect(server.requests.first?.body.split(separator: "&").contains("customer=cus_1") == true)
        }
    }

    @Test func theSameCheckoutHasTheSameKeyForAWhile() throws {
        let start = UnixTime(seconds: 1_700_000_100)
        let key = try checkout().idempotencyKey(at: start)
        #expect(try checkout().idempotencyKey(at: start.adding(seconds: 299)) == key)
        #expect(try checkout().idempotencyKey(at: start.adding(seconds: 300)) != key)
        #expect(try checkout(customerID: "cus_1").idempotencyKey(at: start) != key)
        #expect(try checkout().idempotencyKey(at: start, after: "cs_1") != key, "after that page another is asked for")
        #expect(key.utf8.count <= 255)
    }

    @Test func aPortalPage() async throws {
        let answer = StripeServer.Answer.json(200, #"{"id":"bps_1","url":"https://billing.stripe.com/p/1"}"#)
        try await StripeServer.with(answer) { server, url in
            let client = stripeClient(url)
            for _ in 0..<2 {
                let page = try await client.createPortalSession(customerID: "cus_1", returnURL: "https://a.example/ b")
                #expect(page == "https://billing.stripe.com/p/1")
            }
            #expect(server.requests.map(\.path) == Array(repeating: "/v1/billing_portal/sessions", count: 2))
            #expect(server.requests.first?.body == "customer=cus_1&return_url=https%3A%2F%2Fa.example%2F+b")
            #expect(Set(server.requests.flatMap { $0.headers["idempotency-key"] }).count == 2)
        }
    }

    @Test func aSubscription() async throws {
        try await StripeServer.with(.json(200, subscription())) { server, url in
            let found = try await stripeClient(url).subscription(id: "sub_1")
            #expect(found?.subscriptionID == "sub_1")
            // What is answered for another is not believed.
            await #expect(throws: CallError.self) { try await stripeClient(url).subscription(id: "sub_1/../x y") }
            #expect(found?.status == .active)
            let request = try #require(server.requests.last)
            #expect(request.method == .GET)
            #expect(request.path == "/v1/subscriptions/sub_1%2F..%2Fx%20y")
            #expect(request.headers["idempotency-key"].isEmpty)
            #expect(request.body.isEmpty)
        }
    }

    @Test func noSubscription() async throws {
        let missing = #"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such"}}"#
        try await StripeServer.with(.json(404, missing)) { server, url in
            let found = try await stripeClient(url).subscription(id: "sub_1")
            #expect(found == nil)
            for id in ["", ".", ".."] {
                let unasked = try await stripeClient(url).subscription(id: id)
                #expect(unasked == nil, "what would lead to another path is not asked for")
            }
            #expect(server.requests.count == 1)
        }
    }

    @Test(arguments: [StripeServer.Answer.html(404), .json(404, "{}")])
    func aServerThatIsNotStripeKnowsNothingOfSubscriptions(_ answer: StripeServer.Answer) async throws {
        try await StripeServer.with(answer) { _, url in
            let error = await failure { () throws(CallError) in try await stripeClient(url).subscription(id: "sub_1")
            }
            #expect(error?.httpStatus == 404)
        }
    }

    @Test func aCardIsDeclined() async throws {
        let body = """
            {"error":{"type":"card_error","code":"card_declined","param":"source",\
            "message":"Declined for \(testKey). \(String(repeating: "x", count: 1000))"}}
            """
        try await StripeServer.with(.json(402, body, ["request-id": "req_1"])) { server, url in
            let checkout = try checkout()
            let error = await failure { () throws(CallError) in
                try await stripeClient(url).createCheckoutSession(checkout, idempotencyKey: "k")
            }
            #expect(error?.kind == .refused)
            #expect(error?.httpStatus == 402)
            #expect(error?.type == "card_error")
            #expect(error?.code == "card_declined")
            #expect(error?.parameter == "source")
            #expect(error?.requestID == "req_1")
            #expect(error?.isTemporary == false)
            #expect(error?.message.hasPrefix("Declined for [key]. xxx") == true)
            #expect(error?.message.count == 500)
            #expect(server.requests.count == 1)
            #expect(
                error.map { "\($0)" }?.hasSuffix(
                    "(status 402, type card_error, code card_declined, param source, request req_1)") == true)
        }
    }

    @Test func theKeyIsInNoDescription() async throws {
        let client = stripeClient("http://127.0.0.1:1")
        var dumped = ""
        dump(client, to: &dumped)
        for text in ["\(client)", String(reflecting: client), dumped] { #expect(!text.contains("secret"), "\(text)") }

        // A header that cannot be sent is quoted by the HTTP client's error.
        for key in [testKey, "sk_test_secret\nx"] {
            let error = await failure { () throws(CallError) in
                try await stripeClient("http://127.0.0.1:1", key: key).subscription(id: "sub_1")
            }
            var dumped = ""
            dump(error, to: &dumped)
            #expect(error?.kind == .unreachable)
            #expect(!dumped.contains("secret"), "\(dumped)")
        }
    }

    @Test(arguments: [("sk_live_1", true), ("rk_live_1", true), ("sk_test_1", false), ("rk_test_1", false)])
    func theKeyTellsTheMode(_ key: String, _ isLive: Bool) {
        #expect(stripeClient("http://127.0.0.1:1", key: key).isLive == isLive)
    }

    @Test(
        arguments: [
            (.html(200), "HTML"), (.html(302), "HTML"), (.json(200, "<!doctype html>"), "HTML"),
            (.json(200, "ok"), "something else"), (.json(200, ""), "something else"),
            (.json(200, "[]"), "something else"), (.json(200, "{}"), "'id'"),
            (.json(200, #"{"id":"cs_1","url":null}"#), "'url'"),
            (.json(200, "{" + String(repeating: " ", count: 1 << 20) + "}"), "longer than"),
        ] as [(StripeServer.Answer, String)])
    func answersThatAreNotStripes(_ answer: StripeServer.Answer, _ words: String) async throws {
        try await StripeServer.with(answer) { _, url in
            let checkout = try checkout()
            let error = await failure { () throws(CallError) in
                try await stripeClient(url).createCheckoutSession(checkout, idempotencyKey: "k")
            }
            #expect(error?.kind == .unintelligible)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
            #expect(error?.message.contains("page") == false)
        }
    }
}
