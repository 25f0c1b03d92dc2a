import StripeBilling
import Testing
import TollgateCore

/// From what Stripe says of a subscription to what the domain makes of it.
@Suite struct SubscriptionTests {
    private static let prices = PriceTable([
        .init(plan: "free", priceIDs: []), .init(plan: "paid", priceIDs: ["price_paid", "price_paid_year"]),
        .init(plan: "pro", priceIDs: ["price_pro"]),
    ])

    private static func facts(
        _ status: SubscriptionStatus? = .active, tier: String? = nil, prices: [String] = []
    ) -> SubscriptionFacts {
        var facts = SubscriptionFacts()
        facts.subscriptionID = "sub_1"
        facts.status = status
        facts.tier = tier
        facts.priceIDs = prices
        return facts
    }

    private static func seen(
        _ facts: SubscriptionFacts, known: Subscription? = nil, unknownPrice: UnknownPriceRule = .free,
        at seconds: Int64 = 100
    ) -> Subscription? {
        Subscription(
            facts, known: known, prices: prices, unknownPrice: unknownPrice, seenAt: UnixTime(seconds: seconds),
            now: UnixTime(seconds: seconds + 1))
    }

    @Test func thePriceGoesBeforeTheMetadata() {
        let cases: [(tier: String?, prices: [String], plan: String?)] = [
            ("paid", [], "paid"), ("paid", ["price_pro"], "pro"), (nil, ["price_pro"], "pro"),
            ("paid", ["price_mug"], "paid"), (nil, ["price_mug", "price_paid"], "paid"), (nil, ["price_mug"], nil),
            (nil, [], nil), ("No Plan!", [], nil), (nil, ["price_paid_year"], "paid"),
            // All items count, and of what they sell the best.
            (nil, ["price_paid", "price_pro"], "pro"), ("paid", ["price_pro", "price_paid"], "pro"),
        ]
        for (tier, prices, plan) in cases {
            #expect(Self.seen(Self.facts(tier: tier, prices: prices))?.plan == plan, "\(tier ?? "-") \(prices)")
        }
    }

    @Test func metadataStandsInForThePriceItWasSoldWith() throws {
        let first = try #require(Self.seen(Self.facts(tier: "pro", prices: ["price_old"])))
        #expect(first.plan == "pro" && first.firstPriceIDs == ["price_old"])
        let switched = try #require(
            Self.seen(Self.facts(tier: "pro", prices: ["price_mug"]), known: first, at: 200))
        #expect(switched.plan == nil, "the portal keeps the metadata")
        #expect(switched.firstPriceIDs == ["price_old"])
        let back = Self.seen(Self.facts(tier: "pro", prices: ["price_old"]), known: switched, at: 300)
        #expect(back?.plan == "pro")
        let more = Self.seen(Self.facts(tier: "pro", prices: ["price_support", "price_old"]), known: first, at: 300)
        #expect(more?.plan == "pro", "something else beside it")
        let known = Self.seen(Self.facts(tier: "pro", prices: ["price_paid"]), known: first, at: 300)
        #expect(known?.plan == "paid", "a price that is known decides")
    }

    /// The metadata of a payment link is the checkout's, and only its event tells of it.
    @Test func whatOnlyTheCheckoutToldIsRemembered() throws {
        let sold = try #require(Self.seen(Self.facts(tier: "pro", prices: ["price_link"])))
        let renewed = try #require(Self.seen(Self.facts(prices: ["price_link"]), known: sold, at: 200))
        #expect(renewed.plan == "pro")
        #expect(Self.seen(Self.facts(prices: ["price_mug"]), known: renewed, at: 300)?.plan == nil)
    }

    @Test func aPlanMayBeKeptWithAnUnknownPrice() throws {
        let first = try #require(Self.seen(Self.facts(prices: ["price_pro"])))
        let mug = Self.facts(prices: ["price_mug"])
        #expect(Self.seen(mug, known: first)?.plan == nil)
        #expect(Self.seen(mug, known: first, unknownPrice: .keep)?.plan == "pro")
        #expect(Self.seen(mug, unknownPrice: .keep)?.plan == nil, "there is none to keep")
        #expect(Self.seen(Self.facts(prices: ["price_paid"]), known: first, unknownPrice: .keep)?.plan == "paid")
        #expect(mug.soldPlan(known: first, prices: Self.prices) == nil, "and it is told of")
    }

    /// One that an earlier version has recorded comes without its prices.
    @Test func whereTheFirstPricesAreNotKnownThePresentOnesAreTaken() throws {
        let known = Subscription(id: "sub_1", status: .active, plan: "pro", seenAt: UnixTime(seconds: 1))
        let seen = try #require(Self.seen(Self.facts(tier: "pro", prices: ["price_old"]), known: known))
        #expect(seen.plan == "pro" && seen.firstPriceIDs == ["price_old"])
    }

    @Test func whatStripeSaysIsTakenOver() throws {
        var facts = Self.facts(.trialing, prices: ["price_pro"])
        facts.customerID = "cus_1"
        facts.startedAt = UnixTime(seconds: 10)
        facts.period = SubscriptionPeriod(start: UnixTime(seconds: 10), end: UnixTime(seconds: 20))
        facts.endsAt = UnixTime(seconds: 20)
        facts.trialEnd = UnixTime(seconds: 15)
        facts.collectionPause = .until(UnixTime(seconds: 18))
        let seen = try #require(Self.seen(facts))
        let expected = Subscription(
            id: "sub_1", customerID: "cus_1", status: .trialing, plan: "pro", priceIDs: ["price_pro"],
            firstPriceIDs: ["price_pro"], startedAt: facts.startedAt, period: facts.period, endsAt: facts.endsAt,
            trialEnd: facts.trialEnd, collectionPause: facts.collectionPause, seenAt: UnixTime(seconds: 100))
        #expect(seen == expected)
        facts.status = .canceled
        #expect(Self.seen(facts)?.endsAt == nil, "it has ended already")
        #expect(Self.seen(Self.facts(.pastDue))?.pastDueSince == UnixTime(seconds: 101))
        #expect(Self.seen(Self.facts(.active))?.pastDueSince == nil)
        #expect(Self.seen(Self.facts(nil)) == nil, "no subscription is without a status")
        #expect(Self.seen(SubscriptionFacts()) == nil)
    }

    @Test func pricesAreFoundByPlan() {
        #expect(Self.prices.plans == ["paid", "pro"])
        #expect(Self.prices.price(ofPlan: "pro") == "price_pro")
        #expect(Self.prices.price(ofPlan: "paid") == "price_paid", "a checkout sells the first")
        #expect(Self.prices.price(ofPlan: "free") == nil)
        #expect(Self.prices.plan(soldBy: ["price_paid_year"]) == "paid")
        #expect(Self.prices.plan(soldBy: []) == nil)
    }

    @Test(arguments: [
        ("price_1Abc", true), ("plan_Fx1", true), ("price_", false), ("plan_", false), ("", false), ("prod_1", false),
        ("price_a, price_b", false), ("price_a,price_b", false), ("price_a ", false), ("price_ä", false),
        ("price_" + String(repeating: "a", count: 249), true), ("price_" + String(repeating: "a", count: 250), false),
    ])
    func whatIsThePriceOfOneThing(_ text: String, _ isOne: Bool) {
        #expect(PriceTable.isPriceID(text) == isOne)
    }
}
