import AsyncHTTPClient
import JSONValue
import Logging
import StripeBilling
import Synchronization
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

/// Stripe's webhooks at their worst: repeated, in any order, to any worker, and workers that die over them.
@Suite struct WebhookStormTests {
    private static let userCount = 60

    @Test func athousandEventsEndAsIfTheyHadComeInOrder() async throws {
        // Two hours ago, for the histories run ahead of the clock.
        let time = ManualTime(SystemClock().now().adding(seconds: -7200))
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity.shared()
            try await withRedis(in: directory) { redis in
                try await withStandIns(identity: identity, time: time, clerkTime: SystemClock()) {
                    stripe, clerk, settings in
                    let environment = Worker.environment(redisURL: redis.url, identity: identity)
                        .merging(settings) { $1 }
                    var history = History(stripe: stripe, settings: settings, time: time)
                    try await history.run(users: Self.userCount, events: 1000)
                    try await withWorkers(3, environment: environment) { workers in
                        try await Crew.run(workers, environment: environment) { crew in
                            try await deliver(stripe.webhooks.events, to: crew)
                        }
                    }
                    try await withRedisClient(redis.patientConfiguration) { client in
                        let store = RedisSubscriptionStore(client: client)
                        for user in 0..<Self.userCount {
                            try await check("user_\(user)", store, stripe, clerk)
                        }
                    }
                }
            }
        }
    }

    /// What Stripe itself says in the end, which is what the events say in their order.
    private func check(
        _ user: String, _ store: RedisSubscriptionStore, _ stripe: StripeStandIn, _ clerk: ClerkAPIStandIn
    ) async throws {
        let newest = stripe.subscriptions.values.filter { $0["metadata"]["userId"].string == user }
            .max { ($0["created"].integer ?? 0) < ($1["created"].integer ?? 0) }
        let subscription = try #require(newest)
        let userID = try #require(UserID(user))
        let record = try #require(try await store.record(of: userID))
        #expect(record.subscriptionID == subscription["id"].string)
        #expect(record.customerID == subscription["customer"].string)
        #expect(record.status.name == subscription["status"].string)
        #expect(record.plan == "paid")
        #expect(record.clerkUpdatedAt != nil, "Clerk has been told")
        let plan: JSON = subscription["status"].string == "canceled" ? "free" : "paid"
        #expect(
            clerk.publicMetadata(of: user) == [
                "plan": plan, "stripeCustomerId": subscription["customer"], "subscriptionId": subscription["id"],
            ])
    }

    /// Delivers every event one to five times, all mixed, until each delivery is taken; meanwhile workers are killed.
    private func deliver(_ events: [JSON], to crew: Crew) async throws {
        let copies = events.flatMap { Array(repeating: $0.text, count: .random(in: 1...5)) }.shuffled()
        let queue = Deliveries(copies)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    while let body = queue.next() { try await self.deliver(body, to: crew, queue) }
                }
            }
            group.addTask {
                // Spread over the work, the last one in its final tenth.
                for kill in 1...12 {
                    let threshold = copies.count * kill * 8 / 100
                    try await eventually("deliveries go on", within: .seconds(180)) { queue.takenCount >= threshold }
                    let victim = Int.random(in: 0..<3)
                    await crew.kill(victim)
                    try await crew.restart(victim)
                }
            }
            try await group.waitForAll()
        }
        #expect(queue.takenCount == copies.count)
        #expect(queue.failureCount > 0, "no delivery failed: no worker was killed in the middle of one")
    }

    private func deliver(_ body: String, to crew: Crew, _ queue: Deliveries) async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        while ContinuousClock.now < deadline {
            let signature = WebhookSignature.sign(
                payload: Array(body.utf8), secret: Market.webhookSecret, at: SystemClock().now())
            let port = try #require(crew.ports.randomElement())
            let answer = try? await HTTP.send(
                "POST", "/webhook/stripe", port: port, headers: [("Stripe-Signature", signature)], body: body)
            if answer?.status == 200 { return queue.take() }
            queue.fail()
            try await Task.sleep(for: .milliseconds(.random(in: 50...300)))
        }
        throw NeverHappened(description: "a delivery was never taken: \(body)")
    }
}

/// What is still to be delivered, and how it goes.
private final class Deliveries: Sendable {
    private let state: Mutex<(waiting: [String], taken: Int, failures: Int)>

    init(_ bodies: [String]) { state = Mutex((bodies, 0, 0)) }

    func next() -> String? { state.withLock { $0.waiting.popLast() } }
    func take() { state.withLock { $0.taken += 1 } }
    func fail() { state.withLock { $0.failures += 1 } }

    var takenCount: Int { state.withLock(\.taken) }
    var failureCount: Int { state.withLock(\.failures) }
}

/// Users who buy, owe, pay, cancel and come back, as Stripe remembers it. No gateway takes part.
private struct History {
    let stripe: StripeStandIn
    let settings: [String: String]
    let time: ManualTime
    private var subscriptions: [String: String] = [:]

    init(stripe: StripeStandIn, settings: [String: String], time: ManualTime) {
        self.stripe = stripe
        self.settings = settings
        self.time = time
    }

    mutating func run(users: Int, events: Int) async throws {
        let client = StripeClient(
            secretKey: settings["STRIPE_SECRET_KEY"] ?? "", apiURL: settings["STRIPE_API_URL"] ?? "",
            httpClient: .shared, logger: .silent)
        // Every user buys once, then anything may happen.
        for user in 0..<users { try await buy("user_\(user)", client) }
        while stripe.webhooks.events.count < events {
            try await act("user_\(Int.random(in: 0..<users))", client)
            // Often nothing: then events of one second follow on each other.
            time.advance(seconds: .random(in: 0...2))
        }
    }

    private mutating func act(_ user: String, _ client: StripeClient) async throws {
        guard let subscription = subscriptions[user] else { return try await buy(user, client) }
        switch Int.random(in: 0..<4) {
        case 0: try stripe.collect(subscription, succeeds: false)
        case 1, 2: try stripe.collect(subscription, succeeds: true)
        default:
            try stripe.cancel(subscription)
            subscriptions[user] = nil
        }
    }

    private mutating func buy(_ user: String, _ client: StripeClient) async throws {
        // No customer fills in a card form within the second of cancelling.
        time.advance(seconds: 1)
        let known = stripe.subscriptions.values.first { $0["metadata"]["userId"].string == user }
        let session = try await client.createCheckoutSession(
            CheckoutRequest(
                userID: try #require(UserID(user)), tier: "paid", priceID: "price_paid",
                successURL: "https://app.example.com/", cancelURL: "https://app.example.com/",
                customerID: known?["customer"].string),
            idempotencyKey: "\(user)-\(time.now().seconds)")
        try stripe.pay(session.id)
        let all = stripe.subscriptions.values.filter { $0["metadata"]["userId"].string == user }
        subscriptions[user] = all.first { $0["status"].string != "canceled" }?["id"].string
    }
}
