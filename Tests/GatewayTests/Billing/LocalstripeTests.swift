import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

/// A worker and `tollgate reconcile` with a Stripe that others have written.
@Suite(.timeLimit(.minutes(6)), .tags(.measuresTime)) struct LocalstripeTests {
    private static let plans = """
        plans:
          free: { quota: 5 }
          paid: { quota: 500, priceId: price_paid }
          pro: { quota: 20000, priceIds: [price_pro, price_pro_year] }
        """

    /// A worker that localstripe knows, and what it sells.
    private struct Shop {
        let fleet: Fleet
        let stripe: Localstripe

        var worker: Worker { fleet.workers[0] }

        /// Asks the record until it says so, for calls are limited, and then the worker.
        func isPlan(_ plan: String, of user: String) async throws {
            let id = try #require(UserID(user))
            try await withRedisClient(fleet.redis.configuration) { redis in
                let store = RedisSubscriptionStore(client: redis)
                try await eventually("\(user) has \(plan)") {
                    let record = try await store.record(of: id)
                    return record?.grantedPlan(at: SystemClock().now(), pastDueGraceSeconds: 604_800) == plan
                }
            }
            let served = try await self.plan(of: user)
            #expect(served == plan, "\(user)")
        }

        func plan(of user: String) async throws -> String? {
            let answer = try await HTTP.verify(try fleet.token(user, plan: nil), port: worker.port)
            let body = JSON(parsing: answer.body.utf8)
            return body?["usage"]["plan"].string ?? body?["plan"].string
        }

        func redis(_ command: String) async throws -> RedisReply {
            try await withRedisClient(fleet.redis.configuration) { try await $0.send(command) }
        }

        func webhooks(signedWith secret: String) async throws {
            try await stripe.register("http://127.0.0.1:\(worker.port)/webhook/stripe", secret: secret)
        }

        /// - Returns: What `tollgate reconcile` says.
        func reconcile() async throws -> String {
            let process = try ChildProcess.start(
                Worker.program, ["reconcile"], environment: fleet.environment, output: .lines)
            var lines: [String] = []
            for await line in process.lines { lines.append(line) }
            #expect(await process.wait() == .exited(0), "\(lines)")
            return lines.last ?? ""
        }
    }

    /// Runs `body` once the worker has gone through all that there is, and will not do so again for minutes.
    private func withShop(_ body: (Shop) async throws -> Void) async throws {
        try await withLocalstripe { stripe in
            let settings = Market.settings(stripeURL: stripe.url, clerkURL: "").filter { !$0.value.isEmpty }
                .merging(["STRIPE_PRICE_ID": "", "CLERK_SECRET_KEY": ""]) { $1 }.filter { !$0.value.isEmpty }
            try await withFleet(plans: Self.plans, settings: settings) { fleet in
                let shop = Shop(fleet: fleet, stripe: stripe)
                try await stripe.addPrice("price_paid", 2_900, interval: "month")
                try await stripe.addPrice("price_pro", 9_900, interval: "month")
                try await stripe.addPrice("price_pro_year", 99_000, interval: "year")
                try await shop.worker.becomesReady()
                // Which events were not delivered it cannot tell, and refuses; the rest is done all the same.
                try await eventually("the worker has reconciled") {
                    try await shop.redis("HGET reconciliation wentThroughAllAt").string != nil
                }
                try await body(shop)
            }
        }
    }

    @Test func boughtChangedAndCancelled() async throws {
        try await withShop { shop in
            try await shop.webhooks(signedWith: Market.webhookSecret)
            let (stripe, named) = (shop.stripe, "user_of_customer")
            let customer = try await stripe.addCustomer(["userId": named])
            let first = try await stripe.subscribe(customer, to: "price_paid")
            let second = try await stripe.subscribe(customer, to: "price_pro", for: "user_of_subscription")
            try await shop.isPlan("paid", of: named)
            try await shop.isPlan("pro", of: "user_of_subscription")
            // It tells of a change by the invoice of it.
            try await stripe.change(first, to: "price_pro_year")
            try await shop.isPlan("pro", of: named)
            try await stripe.delete("subscriptions/\(first)")
            try await shop.isPlan("free", of: named)
            #expect(try await shop.plan(of: "user_of_subscription") == "pro")
            try await stripe.delete("subscriptions/\(second)")
            try await shop.isPlan("free", of: "user_of_subscription")
            #expect(try await shop.reconcile() == "2 subscriptions looked at, 0 mended")
        }
    }

    @Test func whatIsOwedIsServedForAWhile() async throws {
        try await withShop { shop in
            try await shop.webhooks(signedWith: Market.webhookSecret)
            let customer = try await shop.stripe.addCustomer(["userId": "user_abc"])
            let subscription = try await shop.stripe.subscribe(customer, to: "price_paid")
            try await shop.isPlan("paid", of: "user_abc")
            try await shop.stripe.give(customer, card: "4000000000000341")
            try await shop.stripe.change(subscription, to: "price_pro_year")
            #expect(try await shop.stripe.get("subscriptions/\(subscription)")["status"] == "past_due")
            // It tells nobody that a payment has failed. A list counts as a second older than it is.
            try await eventually("what is owed is seen") {
                try await shop.reconcile() == "1 subscription looked at, 1 mended"
            }
            #expect(try await shop.redis("HGET subscription:{user_abc} status").string == "past_due")
            #expect(try await shop.plan(of: "user_abc") == "pro")
        }
    }

    /// What a worker hears with another's secret it does not believe.
    @Test func whatWasMissedIsReconciled() async throws {
        try await withShop { shop in
            try await shop.webhooks(signedWith: Market.webhookSecret)
            let stripe = shop.stripe
            let customer = try await stripe.addCustomer()
            var subscriptions: [String: String] = [:]
            for user in ["user_changed", "user_ended", "user_kept"] {
                subscriptions[user] = try await stripe.subscribe(customer, to: "price_paid", for: user)
            }
            for user in subscriptions.keys { try await shop.isPlan("paid", of: user) }
            try await shop.webhooks(signedWith: "whsec_of_another")
            try await stripe.change(try #require(subscriptions["user_changed"]), to: "price_pro")
            try await stripe.delete("subscriptions/\(try #require(subscriptions["user_ended"]))")
            // More than a page.
            for number in 0..<120 { _ = try await stripe.subscribe(customer, to: "price_paid", for: "user_\(number)") }
            try await eventually("all was refused") {
                let metrics = try await HTTP.get("/metrics", port: shop.worker.adminPort).body
                let lines = metrics.split(separator: "\n").filter {
                    $0.hasPrefix(#"tollgate_webhooks_total{outcome="rejected","#)
                }
                // Of each purchase three events and more.
                return lines.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +) > 360
            }
            #expect(try await shop.plan(of: "user_changed") == "paid")
            #expect(try await shop.plan(of: "user_ended") == "paid")
            #expect(try await shop.plan(of: "user_119") == "free")
            #expect(try await shop.reconcile() == "123 subscriptions looked at, 122 mended")
            for (user, plan) in ["changed": "pro", "ended": "free", "kept": "paid", "0": "paid", "119": "paid"] {
                #expect(try await shop.plan(of: "user_" + user) == plan, "\(user)")
            }
            #expect(try await shop.reconcile() == "123 subscriptions looked at, 0 mended")
        }
    }
}
