import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

/// Users with one or two subscriptions, to which anything may happen at any moment, and whose events come late, several
/// times and in any order, to two workers.
@Suite(.timeLimit(.minutes(5))) struct RandomLifeTests {
    private static let userCount = 150
    private static let prices: [String: String] = ["price_paid": "paid", "price_pro": "pro", "price_pro_year": "pro"]

    @Test(arguments: [1, 2]) func everyUserHasInTheEndWhatStripeSays(seed: UInt64) async throws {
        // Clerk takes ten updates of a user in ten seconds, and here is no time to wait.
        let settings = ["CLERK_SECRET_KEY": ""]
        try await withMarket(gateways: 2, settings: settings, plans: SubscriptionLifeTests.plans) { market in
            var lives = Lives(seed: seed)
            var waiting: [JSON] = []
            for _ in 0..<Self.userCount * 8 {
                waiting += lives.change(in: market)
                while waiting.count > 200 {
                    waiting.shuffle(using: &lives.random)
                    try await Self.deliver(waiting.suffix(16), market)
                    waiting.removeLast(16)
                }
            }
            waiting.shuffle(using: &lives.random)
            while !waiting.isEmpty {
                try await Self.deliver(waiting.suffix(16), market)
                waiting.removeLast(min(16, waiting.count))
            }
            let found = try await withRedisClient(market.redis.configuration) { redis in
                try await lives.compare(with: RedisSubscriptionStore(client: redis), at: market.time.now())
            }
            #expect(found.wrong == [])
            #expect(found.plans.count == 3 && found.plans.values.allSatisfy { $0 > 10 }, "one-sided: \(found.plans)")
        }
    }

    /// Delivers all of them at once, each to any worker. Of two copies one is told to come again.
    private static func deliver(_ events: ArraySlice<JSON>, _ market: Market) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for event in events {
                let worker = market.gateways.randomElement().map { market.entered(at: $0.publicPort) } ?? market
                group.addTask {
                    try await eventually("an event is taken") {
                        let answer = try await worker.deliver(event)
                        #expect(answer.status == 200 || answer.status == 409, "\(answer.body)")
                        return answer.status == 200
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// What Stripe has, and what happens next.
    private struct Lives {
        var random: Numbers
        private var subscriptions: [String: JSON] = [:]
        private var eventCount = 0

        init(seed: UInt64) { random = Numbers(state: seed) }

        /// Something happens to one subscription.
        ///
        /// - Returns: The event that tells of it, one to five times.
        mutating func change(in market: Market) -> [JSON] {
            market.time.advance(seconds: .random(in: 0...60, using: &random))
            let number = Int.random(in: 0..<userCount, using: &random)
            // Every second user has two.
            let id = "sub_\(number)_\(number.isMultiple(of: 2) ? Int.random(in: 0...1, using: &random) : 0)"
            let known = subscriptions[id]
            guard known?["status"].string != "canceled" else { return [] }
            let statuses = ["active", "active", "trialing", "past_due", "unpaid", "paused", "canceled"]
            let status = known == nil ? "active" : statuses.randomElement(using: &random) ?? ""
            let price = ["price_paid", "price_pro", "price_pro_year", "price_mug"].randomElement(using: &random) ?? ""
            let subscription = Market.subscription(
                status, id: id, user: "user_\(number)", customer: "cus_\(id)", prices: [price],
                created: known?["created"].integer ?? market.time.now().seconds)
            subscriptions[id] = subscription
            market.stripe.put(subscription: subscription)
            eventCount += 1
            let event = event(of: subscription, in: market)
            return Array(repeating: event, count: .random(in: 1...5, using: &random))
        }

        /// An old checkout's, a bill's, or the subscription's own.
        private mutating func event(of subscription: JSON, in market: Market) -> JSON {
            let id = "evt_\(eventCount)"
            let end = subscription["status"].string == "canceled"
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                let checkout = Market.checkout(
                    of: subscription["id"].string ?? "", reference: subscription["metadata"]["userId"].string,
                    customer: subscription["customer"].string ?? "", tier: nil)
                return Market.event(
                    "checkout.session.async_payment_succeeded", checkout, id: id, created: market.time.now())
            case 1:
                let invoice: JSON = [
                    "id": "in_1", "object": "invoice", "customer": subscription["customer"],
                    "parent": ["subscription_details": ["subscription": subscription["id"]]],
                ]
                return Market.event("invoice.payment_failed", invoice, id: id, created: market.time.now())
            default:
                return Market.event(
                    "customer.subscription." + (end ? "deleted" : "updated"), subscription, id: id,
                    created: market.time.now())
            }
        }

        /// Who has something else than Stripe says, and how many have which plan.
        func compare(
            with store: RedisSubscriptionStore, at time: UnixTime
        ) async throws -> (wrong: [String], plans: [String: Int]) {
            var (wrong, plans): ([String], [String: Int]) = ([], [:])
            for number in 0..<userCount {
                let user = try #require(UserID("user_\(number)"))
                let record = try await store.record(of: user)
                let plan = record?.grantedPlan(at: time, pastDueGraceSeconds: 7 * 86_400) ?? "free"
                let expected = self.plan(of: user.value)
                if plan != expected { wrong.append("\(user) has \(plan), not \(expected)") }
                plans[plan, default: 0] += 1
            }
            return (wrong, plans)
        }

        private func plan(of user: String) -> String {
            let served = subscriptions.values.filter {
                $0["metadata"]["userId"].string == user
                    && ["active", "trialing", "past_due"].contains($0["status"].string)
            }
            let plans = served.compactMap { $0["items"]["data"].elements?.first?["price"]["id"].string }
                .compactMap { prices[$0] }
            return plans.contains("pro") ? "pro" : plans.isEmpty ? "free" : "paid"
        }
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
