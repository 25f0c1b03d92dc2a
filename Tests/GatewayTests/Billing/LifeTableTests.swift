import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// The guide's table of lives says what is so: each row is played at the stand-in of Stripe, and tells in its order what
/// plans the user has.
@Suite(.timeLimit(.minutes(5))) struct LifeTableTests {
    private static let head = "| what happens | plan |\n"

    /// The rows of the guide: what happens, and the plans in code marks.
    private static func rows() throws -> [(life: String, plans: [String])] {
        let guide = try ReferencePage.contents("Sources/tollgate/Tollgate.docc/Guides/Selling.md")
        let parts = guide.split(separator: head)
        try #require(parts.count == 2)
        return parts[1].split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
            .prefix { $0.hasPrefix("| ") }
            .map { $0.dropFirst(2).dropLast(2).split(separator: " | ", maxSplits: 1) }
            .map { (String($0[0]), ReferencePage.code(in: String($0[1]))) }
    }

    @Test func everyRowIsALifeAndSaysItsPlans() async throws {
        let rows = try Self.rows()
        #expect(rows.map(\.life) == Life.all.map(\.row), "the table and the lives that are played, in their order")
        for settings in Set(Life.all.map(\.settings)) {
            try await withMarket(settings: settings, plans: SubscriptionLifeTests.plans) { market in
                // The worker's own reconciliation would mend what is to be missed.
                try await market.redis.tell("SET reconciliation:lease test")
                for (number, (row, life)) in zip(rows, Life.all).enumerated() where life.settings == settings {
                    let stage = Stage(market: market, number: number)
                    let plans = try await life.play(stage)
                    #expect(plans == row.plans, "\(row.life)")
                    try await stage.clear()
                }
            }
        }
    }
}

/// Where a life is played: one user, with what others have besides.
struct Stage: Sendable {
    let market: Market
    let number: Int

    var user: String { "user_\(number)" }
    var stripe: StripeStandIn { market.stripe }

    /// The plan of `user`, or of the other one that some lives have.
    func plan(ofOther isOther: Bool = false) async throws -> String {
        try #require(try await market.plan(of: isOther ? other : user))
    }

    var other: String { user + "_other" }

    /// A subscription of a customer of its own, in whose metadata the user is named unless told otherwise.
    func subscribe(
        _ prices: String..., metadata: [String: String]? = nil, customer: [String: String] = [:],
        trialDays: Int64? = nil,
        isPaid: Bool = true
    ) async throws -> String {
        let id = "cus_\(number)_\(stripe.customers.count)"
        stripe.addCustomer(id, metadata: customer)
        return try await when {
            try $0.subscribe(
                id, to: prices, metadata: metadata ?? ["userId": user], trialDays: trialDays, isPaid: isPaid)
        }
    }

    /// Lets something happen at Stripe, and waits until the gateway has heard of it.
    @discardableResult
    func when<Value>(_ happens: (StripeStandIn) throws -> Value) async throws -> Value {
        let value = try happens(stripe)
        try await market.webhooksAreDone()
        return value
    }

    func letPass(days: Int64) async throws {
        market.time.advance(seconds: days * 86_400)
        try await when { try $0.letTimePass() }
    }

    /// An event that the stand-in does not send by itself.
    func tell(_ type: String, of subscription: String, reference: String? = nil, customer: String) async throws {
        let checkout = Market.checkout(of: subscription, reference: reference, customer: customer, tier: nil)
        try await when { $0.emit(type: type, object: checkout) }
    }

    func customer(of subscription: String) throws -> String {
        try #require(stripe.subscriptions[subscription]?["customer"].string)
    }

    /// What `happens` is told to nobody, and found later.
    func missed(_ happens: (StripeStandIn) throws -> Void) async throws -> [String] {
        let before = try await plan()
        stripe.webhooks.behaviour.isDelivering = false
        try happens(stripe)
        stripe.webhooks.behaviour.isDelivering = true
        market.time.advance(seconds: 3 * 86_400)
        let missed = try await plan()
        #expect(missed == before, "it was to be missed")
        try await market.redis.tell("DEL reconciliation:lease")
        _ = try await market.reconcile()
        try await market.redis.tell("SET reconciliation:lease test")
        return [try await plan()]
    }

    /// Ends what there is, so that later lives are not about it as well.
    func clear() async throws {
        let owners = [user, other]
        try await when { stripe in
            for (id, subscription) in stripe.subscriptions
            where owners.contains(subscription["metadata"]["userId"].string ?? "")
                || subscription["customer"].string?.hasPrefix("cus_\(number)_") == true
            { try stripe.cancel(id) }
        }
    }
}
