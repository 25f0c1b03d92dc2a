import StripeBilling
import Testing
import TollgateCore

/// From what an event says to what the domain makes of it.
@Suite struct SubscriptionUpdateTests {
    private static let prices = PriceTable(["paid": "price_paid", "pro": "price_pro"])

    private func change(
        _ kind: SubscriptionChange.Kind, status: SubscriptionStatus? = nil, tier: String? = nil, prices: [String] = []
    ) -> SubscriptionChange {
        var facts = SubscriptionFacts()
        facts.status = status
        facts.tier = tier
        facts.priceIDs = prices
        return SubscriptionChange(kind: kind, eventID: "evt_1", eventTime: UnixTime(seconds: 100), facts: facts)
    }

    private func update(_ change: SubscriptionChange) throws -> SubscriptionUpdate? {
        change.update(of: try #require(UserID("user_abc")), prices: Self.prices)
    }

    @Test func thePriceGoesBeforeTheMetadata() throws {
        let cases: [(tier: String?, prices: [String], plan: String?)] = [
            ("paid", [], "paid"), ("paid", ["price_pro"], "pro"), (nil, ["price_pro"], "pro"),
            ("paid", ["price_mug"], "paid"), (nil, ["price_mug", "price_paid"], "paid"), (nil, ["price_mug"], nil),
            (nil, [], nil), ("No Plan!", [], nil),
        ]
        for (tier, prices, plan) in cases {
            let change = change(.subscription, status: .active, tier: tier, prices: prices)
            #expect(try update(change)?.plan == plan)
            #expect(change.isForeign(Self.prices) == (plan == nil && !prices.isEmpty))
        }
    }

    @Test func statusesComeFromTheKind() throws {
        #expect(try update(change(.checkoutPaid, tier: "paid"))?.status == .active)
        #expect(try update(change(.subscription, status: .pastDue))?.status == .pastDue)
        #expect(try update(change(.deleted, status: .active))?.status == .canceled)
        #expect(try update(change(.deleted, status: .incompleteExpired))?.status == .incompleteExpired)
        for kind: SubscriptionChange.Kind in [.paymentSucceeded, .paymentFailed] {
            #expect(try update(change(kind)) == nil, "only the subscription can tell")
        }
    }

    @Test func pricesAreFoundByPlan() {
        #expect(Self.prices.plans == ["paid", "pro"])
        #expect(Self.prices.price(ofPlan: "pro") == "price_pro")
        #expect(Self.prices.price(ofPlan: "free") == nil)
    }
}
