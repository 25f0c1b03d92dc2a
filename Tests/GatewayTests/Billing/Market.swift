import JSONValue
import Logging
import StripeBilling
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Gateways that sell plans, with all services they deal with: stand-ins of Stripe and Clerk, and a redis-server.
struct Market {
    static let webhookSecret = "whsec_market"

    let gateways: [GatewayAddresses.Ports]
    let stripe: StripeStandIn
    let clerk: ClerkAPIStandIn
    let clerkURL: String
    let redis: RedisServerProcess
    let time: ManualTime
    let identity: DevelopmentIdentity

    /// Where the workers run, with the `tollgate.yaml`.
    var directory = "."

    /// What its workers are set, beyond what every market's are.
    var ownSettings: [String: String] = [:]

    /// Where customers call.
    private(set) var port: Int

    /// The same market, entered through what listens on `port`.
    func entered(at port: Int) -> Market {
        var market = self
        market.port = port
        return market
    }

    /// The same market, entered through what listens on `port`, also by Stripe.
    func behind(_ port: Int) -> Market {
        let market = entered(at: port)
        stripe.webhooks.url = "http://127.0.0.1:\(port)/webhook/stripe"
        return market
    }

    func token(_ user: String, plan: String? = "free", lifetimeSeconds: Int = 3600) throws -> String {
        try identity.token(user: user, plan: plan, now: time.now(), lifetimeSeconds: lifetimeSeconds)
    }

    /// A request of a user, with the token that they got when they signed up.
    func call(_ method: String, _ path: String, _ user: String, body: String? = nil) async throws -> HTTP.Answer {
        try await HTTP.send(
            method, path, port: port, headers: [("Authorization", "Bearer \(try token(user))")], body: body)
    }

    func verify(_ user: String) async throws -> HTTP.Answer { try await call("POST", "/verify-auth", user) }

    /// Buys a plan: opens the checkout and pays. Returns once the webhooks are done.
    func buy(_ user: String, tier: String = "paid") async throws {
        let answer = try await call("POST", "/create-checkout", user, body: #"{"tier":"\#(tier)"}"#)
        let url = try #require(answer.member("checkoutUrl"), "\(answer.body)")
        try stripe.pay(String(try #require(url.split(separator: "/").last)))
        try await webhooksAreDone()
    }

    func webhooksAreDone() async throws {
        try await eventually("the webhooks are done") { stripe.webhooks.pendingCount == 0 }
    }

    /// The user's newest subscription.
    func subscription(of user: String) -> JSON? {
        stripe.subscriptions.values.filter { $0["metadata"]["userId"].string == user }
            .max { ($0["created"].integer ?? 0) < ($1["created"].integer ?? 0) }
    }

    /// Delivers an event as Stripe does.
    func deliver(
        _ event: JSON, secret: String = webhookSecret, signedAt time: UnixTime? = nil
    ) async throws -> HTTP.Answer {
        let signature = WebhookSignature.sign(
            payload: Array(event.text.utf8), secret: secret, at: time ?? self.time.now())
        return try await post(event.text, signature: signature)
    }

    func post(_ body: String, signature: String?) async throws -> HTTP.Answer {
        try await HTTP.send(
            "POST", "/webhook/stripe", port: port, headers: signature.map { [("Stripe-Signature", $0)] } ?? [],
            body: body)
    }

    /// A subscription as Stripe has it, until it is changed: sold by the gateway's own checkout, if it names a user.
    static func subscription(
        _ status: String = "active", id: String = "sub_1", user: String? = "user_abc", customer: String = "cus_1",
        prices: [String] = ["price_paid"], tier: String? = nil, created: Int64 = 1_764_190_000
    ) -> JSON {
        var metadata: JSON = [:]
        if let user { metadata["userId"] = .string(user) }
        if let tier { metadata["tier"] = .string(tier) }
        let items = prices.map { price -> JSON in
            [
                "price": ["id": .string(price)], "current_period_start": .integer(created),
                "current_period_end": .integer(created + 2_592_000),
            ]
        }
        return [
            "id": .string(id), "object": "subscription", "status": .string(status), "customer": .string(customer),
            "metadata": metadata, "created": .integer(created), "items": ["data": .array(items)],
        ]
    }

    /// A checkout session that is paid, as its events tell of it.
    static func checkout(
        of subscription: String = "sub_1", reference: String? = "user_abc", customer: String = "cus_1",
        tier: String? = "paid", paid: String = "paid"
    ) -> JSON {
        var metadata: JSON = [:]
        if let tier { metadata = ["userId": .text(reference), "tier": .string(tier)] }
        return [
            "id": "cs_1", "object": "checkout.session", "mode": "subscription", "payment_status": .string(paid),
            "client_reference_id": .text(reference), "customer": .string(customer),
            "subscription": .string(subscription), "metadata": metadata,
        ]
    }

    /// The plan that the user has, with a token that claims none.
    func plan(of user: String) async throws -> String? {
        let answer = try await HTTP.verify(try token(user, plan: nil), port: port)
        let body = JSON(parsing: answer.body.utf8)
        return body?["usage"]["plan"].string ?? body?["plan"].string
    }

    /// What the gateway counts.
    func metrics() async throws -> String { try await HTTP.get("/metrics", port: gateways[0].adminPort).body }

    /// An event as Stripe would write it.
    static func event(
        _ type: String, _ object: JSON, id: String = "evt_1", created: UnixTime, isLive: Bool = false
    ) -> JSON {
        [
            "id": .string(id), "object": "event", "api_version": "2026-10-28.endive", "type": .string(type),
            "created": .integer(created.seconds), "livemode": .bool(isLive), "data": ["object": object],
        ]
    }

    /// How workers are told of the stand-ins.
    static func settings(stripeURL: String, clerkURL: String) -> [String: String] {
        [
            "STRIPE_SECRET_KEY": "sk_test_market", "STRIPE_PRICE_ID": "price_paid",
            "STRIPE_WEBHOOK_SECRET": webhookSecret, "STRIPE_API_URL": stripeURL, "CLERK_SECRET_KEY": "sk_test_market",
            "CLERK_API_URL": clerkURL, "FRONTEND_URL": "https://app.example.com",
        ]
    }
}

/// Runs `body` in a market of its own, at 2025-11-26T23:00:00Z.
///
/// - Parameter settings: Win over those of ``Market/settings(stripeURL:clerkURL:)``; an empty one takes it away.
func withMarket(
    gateways count: Int = 1, settings: [String: String] = [:], plans: String? = nil,
    _ body: @escaping @Sendable (Market) async throws -> Void
) async throws {
    let time = ManualTime(UnixTime(seconds: 1_764_198_000))
    try await withTemporaryDirectory { directory in
        if let plans { try plans.write(toFile: directory + "/tollgate.yaml", atomically: true, encoding: .utf8) }
        let identity = try DevelopmentIdentity.shared()
        try await withRedis(in: directory) { redis in
            try await withStandIns(identity: identity, time: time) { stripe, clerk, urls in
                let environment = Worker.environment(redisURL: redis.url, identity: identity)
                    .merging(Fleet.patience) { $1 }.merging(urls) { $1 }.merging(settings) { $1 }
                    .filter { !$0.value.isEmpty }
                try await withGateways(count, environment: environment, directory: directory, time: time) { ports in
                    let market = Market(
                        gateways: ports, stripe: stripe, clerk: clerk, clerkURL: urls["CLERK_API_URL"] ?? "",
                        redis: redis, time: time, identity: identity, directory: directory,
                        ownSettings: settings, port: ports[0].publicPort)
                    try await body(market.behind(ports[0].publicPort))
                }
            }
        }
    }
}

/// Runs `body` with stand-ins of Stripe and Clerk, and the settings that lead to them.
///
/// - Parameters:
///   - clerkTime: Where Clerk counts the updates of a user by another clock than Stripe dates its events.
///   - callsPerSecond: Calls that Stripe answers in a second. Nil for any number.
func withStandIns(
    identity: DevelopmentIdentity, time: any TimeSource, clerkTime: (any TimeSource)? = nil, callsPerSecond: Int? = nil,
    _ body: (StripeStandIn, ClerkAPIStandIn, [String: String]) async throws -> Void
) async throws {
    try await withRunning { onRunning in
        ClerkAPIStandIn(
            identity: identity, time: clerkTime ?? time, logger: .silent, onRunning: { onRunning($0) })
    } _: { clerk, clerkURL in
        try await withRunning { onRunning in
            var configuration = StripeStandIn.Configuration(webhookSecret: Market.webhookSecret)
            configuration.callsPerSecond = callsPerSecond
            let stripe = StripeStandIn(
                configuration: configuration, time: time, logger: .silent, onRunning: { onRunning($0) })
            stripe.webhooks.behaviour.firstBackoff = .milliseconds(20)
            return stripe
        } _: { stripe, stripeURL in
            try await body(stripe, clerk, Market.settings(stripeURL: stripeURL, clerkURL: clerkURL))
        }
    }
}
