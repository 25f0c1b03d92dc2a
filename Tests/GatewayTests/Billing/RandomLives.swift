import JSONValue
import StripeBilling
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// Users to whose subscriptions anything may happen at any moment, and whose events come late, several times and in any
/// order.
///
/// Time goes by in steps of ten minutes. All that is due in one is done at the same second, in any order: what happens at
/// Stripe one after the other, and the deliveries all at once, also while something happens.
final class RandomLives {
    struct Settings {
        /// Every second user has two subscriptions.
        var userCount = 60

        var seed: UInt64 = 1

        /// Whether a tenth of all events is never delivered.
        var losesEvents = false
    }

    private enum Step {
        case begin(user: Int)
        case change(subscription: String)
        case delivery(event: JSON)
    }

    private static let secondsPerStep: Int64 = 600
    private static let stepsPerDay = 144

    /// Days on which something happens. Another follows, on which the last events come in.
    private static let days = 3

    private static let deliveriesAtOnce = 24

    /// Prices of the plans, and one that sells none.
    private static let prices = ["price_paid", "price_pro", "price_pro_year", "price_mug"]

    private let market: Market
    private let settings: Settings
    private var random: Numbers
    private var agenda: [Int: [Step]] = [:]
    private var now = 0

    /// Whose each subscription is.
    private var customers: [String: String] = [:]

    /// The customer whose metadata names a user.
    private var payers: [String: String] = [:]

    /// Who was named in a payment link by the customer who paid it.
    private var linked: [String: String] = [:]

    private(set) var lostCount = 0
    private(set) var deliveryCount = 0

    init(_ settings: Settings, in market: Market) {
        self.settings = settings
        self.market = market
        random = Numbers(state: settings.seed)
        // Nothing is delivered but by us.
        market.stripe.webhooks.url = nil
    }

    // MARK: Time

    /// Plays all lives, until the last event was delivered.
    func play() async throws {
        for user in 0..<settings.userCount {
            for _ in 0...(user % 2) { plan(.begin(user: user), in: .random(in: 0..<Self.stepsPerDay, using: &random)) }
        }
        try await playAgenda()
    }

    /// A month goes by: what was to end ends, what goes on is renewed.
    func playMonth() async throws {
        let seconds = 31 * 86_400
        market.time.advance(seconds: Int64(seconds))
        schedule(try market.stripe.letTimePass())
        try await playAgenda()
    }

    private func playAgenda() async throws {
        while !agenda.isEmpty {
            // Ends and trials that are over.
            if now.isMultiple(of: Self.stepsPerDay / 6) { schedule(try market.stripe.letTimePass()) }
            // What happens may bring about more in the same second.
            while let steps = agenda.removeValue(forKey: now) { try await take(steps.shuffled(using: &random)) }
            now += 1
            market.time.advance(seconds: Self.secondsPerStep)
        }
    }

    private func plan(_ step: Step, in steps: Int) { agenda[now + steps, default: []].append(step) }

    private func take(_ steps: [Step]) async throws {
        let market = market
        let refused = try await withThrowingTaskGroup(of: [JSON].self) { group in
            var (refused, running): ([JSON], Int) = ([], 0)
            func one() async throws {
                refused += try await group.next() ?? []
                running -= 1
            }
            for step in steps {
                switch step {
                case .begin(let user): schedule(try await begin(user))
                case .change(let subscription): schedule(try change(subscription))
                case .delivery(let event):
                    if running == Self.deliveriesAtOnce { try await one() }
                    running += 1
                    deliveryCount += 1
                    let worker = market.gateways.randomElement(using: &random)?.publicPort ?? market.port
                    group.addTask { try await Self.isTaken(event, by: market.entered(at: worker)) ? [] : [event] }
                }
            }
            while running > 0 { try await one() }
            return refused
        }
        for event in refused { plan(.delivery(event: event), in: .random(in: 1...6, using: &random)) }
    }

    /// Of two copies one is told to come again.
    private static func isTaken(_ event: JSON, by worker: Market) async throws -> Bool {
        let answer = try await worker.deliver(event)
        worker.stripe.webhooks.note(status: answer.status, of: event["id"].string ?? "")
        try #require(answer.status == 200 || answer.status == 409, "\(answer.body) to \(event.text)")
        return answer.status == 200
    }

    /// Each event one to five times, at once or within a day.
    private func schedule(_ ids: [String]) {
        guard !ids.isEmpty else { return }
        let wanted = Set(ids)
        // Checkouts may have told of new customers meanwhile.
        for event in market.stripe.webhooks.events.suffix(ids.count + 8) where wanted.contains(event["id"].string ?? "")
        {
            guard !settings.losesEvents || !chance(0.1) else {
                lostCount += 1
                continue
            }
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                plan(
                    .delivery(event: event),
                    in: chance(0.4) ? 0 : .random(in: 0...Self.stepsPerDay, using: &random))
            }
        }
    }

    // MARK: What happens

    private func begin(_ number: Int) async throws -> [String] {
        let user = "user_\(number)"
        let events = try await purchase(by: user, mayUseLink: number.isMultiple(of: 2))
        let bought = market.stripe.webhooks.events.suffix(16).last { $0["type"] == "customer.subscription.created" }
        let subscription = try #require(bought?["data"]["object"]["id"].string)
        customers[subscription] = bought?["data"]["object"]["customer"].string
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            // Also in the second of the purchase.
            plan(
                .change(subscription: subscription),
                in: chance(0.2) ? 0 : .random(in: 0..<(Self.days - 1) * Self.stepsPerDay, using: &random))
        }
        return events
    }

    /// By the gateway's checkout, by hand in the dashboard, or by a payment link.
    private func purchase(by user: String, mayUseLink: Bool) async throws -> [String] {
        let stripe = market.stripe
        let kind = Int.random(in: 0..<8, using: &random)
        if kind < 2 {
            let tier = chance(0.5) ? "paid" : "pro"
            let answer = try await market.call("POST", "/create-checkout", user, body: #"{"tier":"\#(tier)"}"#)
            if answer.status == 200, let url = answer.member("checkoutUrl") {
                return try stripe.pay(String(url.split(separator: "/").last ?? ""))
            }
            #expect(answer.status == 409, "\(answer.body)")
        }
        let customer = "cus_\(user)_\(UInt32.random(in: 0...UInt32.max, using: &random))"
        if kind == 2, mayUseLink {
            linked[customer] = user
            stripe.addCustomer(customer)
            let bought = try stripe.subscribe(customer, to: somePrices())
            let checkout = Market.checkout(of: bought, reference: user, customer: customer, tier: nil)
            let events = stripe.webhooks.events.suffix(2).compactMap { $0["id"].string }
            return events + [stripe.emit(type: "checkout.session.completed", object: checkout)]
        }
        if kind == 7, let payer = payers[user], stripe.customers[payer]?["deleted"].bool != true {
            // For another, whom it names, or for the customer's own user, whom only the customer names.
            let other = "user_\(Int.random(in: 0..<settings.userCount, using: &random) | 1)"
            try stripe.subscribe(payer, to: somePrices(), metadata: chance(0.5) ? ["userId": other] : [:])
            return stripe.webhooks.events.suffix(2).compactMap { $0["id"].string }
        }
        let isNamedByCustomer = kind == 3 || kind == 4
        if isNamedByCustomer { payers[user] = customer }
        stripe.addCustomer(customer, metadata: isNamedByCustomer ? ["userId": user] : [:])
        try stripe.subscribe(
            customer, to: somePrices(), metadata: isNamedByCustomer ? [:] : ["userId": user],
            trialDays: kind == 5 ? .random(in: 1...2, using: &random) : nil, isPaid: kind != 6)
        return stripe.webhooks.events.suffix(2).compactMap { $0["id"].string }
    }

    /// One price, or two.
    private func somePrices() -> [String] { Array(Self.prices.shuffled(using: &random).prefix(chance(0.25) ? 2 : 1)) }

    private func change(_ id: String) throws -> [String] {
        let stripe = market.stripe
        let customer = customers[id] ?? ""
        switch Int.random(in: 0..<24, using: &random) {
        case 0...5: return try stripe.setPrices(of: id, to: somePrices())
        case 6: return try stripe.cancel(id)
        case 7: return try stripe.cancelAtPeriodEnd(id)
        case 8:
            return try stripe.cancel(id, at: market.time.now().adding(seconds: .random(in: 1...86_400, using: &random)))
        case 9: return try stripe.cancel(id, at: nil)
        case 10: return try stripe.pauseCollection(of: id)
        case 11: return try stripe.resumeCollection(of: id)
        case 12, 13: return try stripe.pause(id)
        case 14: return try stripe.resume(id)
        case 15, 16: return try stripe.collect(id, succeeds: false)
        case 17, 18: return try stripe.collect(id, succeeds: true)
        case 19: return try stripe.giveUp(id)
        case 20:
            return try stripe.endTrial(of: id, StripeStandIn.TrialEnd.allCases.randomElement(using: &random) ?? .paid)
        case 21: return chance(0.2) ? (try? stripe.deleteCustomer(customer)) ?? [] : []
        case 22:
            let user = "user_\(Int.random(in: 0..<settings.userCount, using: &random) | 1)"
            return chance(0.3) ? try stripe.setMetadata(of: id, to: ["userId": user]) : []
        default:
            // A debit takes days, and then says what was sold once.
            let checkout = Market.checkout(of: id, reference: nil, customer: customer, tier: nil)
            return [stripe.emit(type: "checkout.session.async_payment_succeeded", object: checkout)]
        }
    }

    private func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &random) < share }

    // MARK: The judge

    /// Who has something else than Stripe says, and how many have which plan.
    ///
    /// - Parameter graceIsOver: Whether all payments that are owed have been for longer than the grace.
    func compare(graceIsOver: Bool) async throws -> (wrong: [String], plans: [String: Int]) {
        let customers = market.stripe.customers
        let owned = Dictionary(grouping: market.stripe.subscriptions.values) { subscription in
            let customer = subscription["customer"].string ?? ""
            return subscription["metadata"]["userId"].string ?? linked[customer]
                ?? customers[customer]?["metadata"]["userId"].string
        }
        var (wrong, plans): ([String], [String: Int]) = ([], [:])
        for number in 0..<settings.userCount {
            let user = "user_\(number)"
            let expected = Self.best(of: owned[user] ?? [], graceIsOver: graceIsOver)
            plans[expected, default: 0] += 1
            let plan = try await market.plan(of: user) ?? "none"
            guard plan != expected else { continue }
            wrong.append("\(user) has \(plan), not \(expected): \((owned[user] ?? []).map(Self.summary))")
        }
        return (wrong, plans)
    }

    /// The best plan of all items of all subscriptions that serve their user.
    private static func best(of subscriptions: [JSON], graceIsOver: Bool) -> String {
        var best = "free"
        for subscription in subscriptions {
            let status = subscription["status"].string ?? ""
            guard ["active", "trialing"].contains(status) || status == "past_due" && !graceIsOver else { continue }
            for price in prices(of: subscription) {
                if price.hasPrefix("price_pro") { best = "pro" }
                if price == "price_paid", best == "free" { best = "paid" }
            }
        }
        return best
    }

    private static func prices(of subscription: JSON) -> [String] {
        (subscription["items"]["data"].elements ?? []).compactMap { $0["price"]["id"].string }
    }

    private static func summary(_ subscription: JSON) -> String {
        let (id, status) = (subscription["id"].string ?? "-", subscription["status"].string ?? "-")
        return "\(id) \(status) \(prices(of: subscription).joined(separator: "+"))"
    }

    /// The same numbers in every run (splitmix64).
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}
