import NIOHTTP1
import OutboundCalls
import StripeBilling
import Testing
import TollgateCore

/// The calls about customers, and what is made of a customer's checkout sessions.
@Suite struct StripeCustomerTests {
    private static let start = UnixTime(seconds: 1_700_000_100)
    private static let missing =
        #"{"error":{"type":"invalid_request_error","code":"resource_missing","param":"customer","message":"No such"}}"#

    private func user() throws -> UserID { try #require(UserID("user_1")) }

    private func request() throws -> CheckoutRequest {
        CheckoutRequest(
            userID: try user(), tier: "paid", priceID: "price_1", successURL: "https://app.example/?paid",
            cancelURL: "https://app.example/", customerID: "cus_1")
    }

    @Test func aCustomer() async throws {
        try await StripeServer.with(.json(200, #"{"id":"cus_1","object":"customer"}"#)) { server, url in
            let client = stripeClient(url)
            for (gone, seconds) in [(nil, 0), (nil, 299), (nil, 300), ("cus_0", 0)] as [(String?, Int64)] {
                let id = try await client.createCustomer(
                    for: try user(), replacing: gone, at: Self.start.adding(seconds: seconds))
                #expect(id == "cus_1")
            }
            let request = try #require(server.requests.first)
            #expect(request.method == .POST)
            #expect(request.path == "/v1/customers")
            #expect(request.body == "metadata[userId]=user_1")
            let keys = server.requests.flatMap { $0.headers["idempotency-key"] }
            #expect(keys[0] == keys[1], "within some minutes it is the same customer")
            #expect(Set(keys).count == 3, "later, and in another's place, it is another call")
            #expect(keys.allSatisfy { $0.utf8.count <= 255 })
        }
    }

    @Test func theSubscriptionsOfACustomer() async throws {
        let second = subscription(["id": #""sub_2""#])
        let list = #"{"object":"list","has_more":false,"data":[\#(subscription()),\#(second)]}"#
        try await StripeServer.with(.json(200, list)) { server, url in
            let found = try await stripeClient(url).subscriptions(ofCustomer: "cus_1&status=all")
            #expect(found.map(\.subscriptionID) == ["sub_1", "sub_2"])
            #expect(server.requests.map(\.path) == ["/v1/subscriptions?customer=cus_1%26status%3Dall&limit=32"])
        }
    }

    @Test func aCustomerThatIsGone() async throws {
        try await StripeServer.with(.json(400, Self.missing)) { _, url in
            let error = await failure { () throws(CallError) in
                try await stripeClient(url).subscriptions(ofCustomer: "cus_1")
            }
            #expect(error?.isAboutMissingCustomer == true)
        }
        try await StripeServer.with(.json(400, Self.missing.replacing("customer\"", with: "price\""))) { _, url in
            let error = await failure { () throws(CallError) in
                try await stripeClient(url).checkoutSessions(ofCustomer: "cus_1")
            }
            #expect(error?.isAboutMissingCustomer == false)
        }
    }

    @Test func aListThatIsNone() async throws {
        try await StripeServer.with(.json(200, #"{"object":"list"}"#)) { _, url in
            let error = await failure { () throws(CallError) in
                try await stripeClient(url).subscriptions(ofCustomer: "cus_1")
            }
            #expect(error?.kind == .unintelligible)
        }
    }

    /// Each with one member of the open page for the same plan changed.
    @Test(arguments: [
        ("", "", true), (#""status":"open""#, #""status":"complete""#, false),
        (#""status":"open""#, #""status":"expired""#, false), (#""mode":"subscription""#, #""mode":"payment""#, false),
        (#""userId":"user_1""#, #""userId":"user_2""#, false), (#""tier":"paid""#, #""tier":"pro""#, false),
        (#""priceId":"price_1""#, #""priceId":"price_2""#, false), (#""priceId":"price_1""#, #""a":"b""#, false),
        (#""https://app.example/?paid""#, #""https://other.example/""#, false),
        (#""cancel_url":"https://app.example/""#, #""cancel_url":null"#, false),
        (#""url":"https://checkout.stripe.com/c/1""#, #""url":null"#, false),
        ("1700003700", "1700000700", false), ("1700003700", "null", false),
    ])
    func pagesThatServeAgain(_ member: String, _ other: String, _ serves: Bool) async throws {
        let session = """
            {"id":"cs_1","object":"checkout.session","status":"open","mode":"subscription",\
            "metadata":{"userId":"user_1","tier":"paid","priceId":"price_1"},"url":"https://checkout.stripe.com/c/1",\
            "success_url":"https://app.example/?paid","cancel_url":"https://app.example/","expires_at":1700003700}
            """
        let list = #"{"object":"list","data":[\#(member.isEmpty ? session : session.replacing(member, with: other))]}"#
        try await StripeServer.with(.json(200, list)) { server, url in
            let found = try await stripeClient(url).checkoutSessions(ofCustomer: "cus_1")
            #expect(server.requests.map(\.path) == ["/v1/checkout/sessions?customer=cus_1&limit=20"])
            let page = try #require(found.first).page(for: try request(), at: Self.start)
            #expect((page != nil) == serves)
            if serves { #expect(page?.url == "https://checkout.stripe.com/c/1") }
        }
    }

    @Test func pagesAreEnded() async throws {
        let closed = #"{"error":{"type":"invalid_request_error","message":"Only open sessions can be expired."}}"#
        try await StripeServer.with(.json(200, #"{"id":"cs_1"}"#), .json(400, closed), .json(401, closed)) {
            server, url in
            let client = stripeClient(url)
            let first = try await client.expireCheckoutSession(id: "cs_1")
            let second = try await client.expireCheckoutSession(id: "cs_1")
            #expect(first && !second)
            let error = await failure { () throws(CallError) in try await client.expireCheckoutSession(id: "cs_1") }
            #expect(error?.httpStatus == 401)
            #expect(server.requests.map(\.path) == Array(repeating: "/v1/checkout/sessions/cs_1/expire", count: 3))
        }
    }

    @Test(
        arguments: [
            (["price_1"], "price_1", "gold"), (["price_2"], "price_1", nil),
            (["price_2", "price_1"], "price_1", "gold"),
            (["price_known"], "price_1", "pro"), (["price_2"], nil, "gold"),
        ] as [([String], String?, String?)])
    func metadataStandsInForThePriceItNames(_ prices: [String], _ sold: String?, _ plan: String?) throws {
        var facts = SubscriptionFacts()
        (facts.subscriptionID, facts.status, facts.tier) = ("sub_1", .active, "gold")
        (facts.priceIDs, facts.soldPriceID) = (prices, sold)
        let seen = Subscription(
            facts, known: nil, prices: PriceTable([.init(plan: "pro", priceIDs: ["price_known"])]),
            unknownPrice: .free, seenAt: Self.start, now: Self.start)
        #expect(seen?.plan == plan)
    }
}
