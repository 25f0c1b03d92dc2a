import AsyncHTTPClient
import ClerkAuth
import Logging
import OutboundCalls
import RedisClient
import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// Selling plans, put together: the endpoints that lead to Stripe, and the one that hears from it.
struct Billing {
    let configuration: GatewayConfiguration
    let plans: PlansInForce
    let redis: RedisClient
    let httpClient: HTTPClient
    let time: any TimeSource
    let metrics: BillingMetrics
    let outages: Outages
    let logger: Logger

    /// What the log is told of Stripe and Clerk. One for all clients of each.
    struct Outages: Sendable {
        let stripe: ServiceOutage
        let clerk: ServiceOutage

        init(logger: Logger) { (stripe, clerk) = (ServiceOutage(logger: logger), ServiceOutage(logger: logger)) }
    }

    /// The plans as customers are told of them.
    var offers: PlanOffers {
        PlanOffers(
            plans: plans, isSelling: sales != nil, pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds)
    }

    var subscriptions: RedisSubscriptionStore { RedisSubscriptionStore(client: redis) }

    func checkoutEndpoints(gatekeeper: Gatekeeper) -> CheckoutEndpoints {
        CheckoutEndpoints(
            gatekeeper: gatekeeper, sales: sales, missingSettings: configuration.settingsMissingForSale, time: time,
            bodyLimitBytes: configuration.bodyLimitBytes)
    }

    var webhookEndpoint: WebhookEndpoint {
        let stripe = stripe(Self.webhookTimeLimits)
        return WebhookEndpoint(
            processor: configuration.stripe.webhookSecrets.isEmpty ? nil : stripe.map(processor),
            backlog: RedisWebhookBacklog(client: redis),
            alerts: configuration.alerts.map { alerts in
                PaymentAlerts(
                    outboxes: RedisAlertOutboxes(alerts.channels, client: redis), subscriptions: subscriptions,
                    time: time)
            },
            secrets: configuration.stripe.webhookSecrets, isLive: stripe?.isLive ?? false, time: time,
            metrics: metrics)
    }

    /// Stripe waits for the answer to a webhook, and the lease of the event runs.
    private static let webhookTimeLimits = CallTimeLimits(call: .seconds(3), attempt: .seconds(2))

    /// Prices may come while the worker runs.
    private var sales: PlanSales? {
        guard configuration.settingsMissingForSale.allSatisfy({ $0 == Setting.stripePriceID.name }),
            let stripe = stripe(StripeClient.timeLimits),
            let frontendURL = configuration.frontendURL
        else { return nil }
        return PlanSales(
            stripe: stripe, plans: plans,
            customers: StripeCustomers(subscriptions: subscriptions, stripe: stripe, time: time, metrics: metrics),
            look: look(stripe), dashboardURL: "\(frontendURL)/dashboard")
    }

    private func stripe(_ timeLimits: CallTimeLimits, _ pace: CallPace? = nil) -> StripeClient? {
        configuration.stripe.secretKey.map { key in
            StripeClient(
                secretKey: key.revealed, apiURL: configuration.stripe.apiURL, httpClient: httpClient, logger: logger,
                timeLimits: timeLimits, pace: pace, outage: outages.stripe)
        }
    }

    private func processor(_ stripe: StripeClient) -> WebhookProcessor {
        WebhookProcessor(ledger: RedisWebhookLedger(client: redis), look: look(stripe), time: time, metrics: metrics)
    }

    /// Calls of Stripe in a second that a reconciliation makes. In test mode Stripe allows 25.
    private static let reconciliationCallsPerSecond = 15

    /// Nil when there is no key for Stripe.
    ///
    /// - Parameter onChange: Told of each user whose purchases were not as they are at Stripe.
    func reconciler(onChange: @escaping @Sendable (PlanChange) -> Void) -> Reconciler? {
        let pace = CallPace(perSecond: Self.reconciliationCallsPerSecond)
        return stripe(StripeClient.timeLimits, pace).map { stripe in
            var look = look(stripe)
            look.onChange = onChange
            return Reconciler(
                look: look, stripe: stripe, state: RedisReconciliation(client: redis), time: time, metrics: metrics,
                logger: logger)
        }
    }

    /// Nil when there is no key for Stripe.
    var replayer: EventReplayer? {
        stripe(StripeClient.timeLimits).map { EventReplayer(look: look($0), stripe: $0) }
    }

    private func look(_ stripe: StripeClient) -> SubscriptionLook {
        SubscriptionLook(
            subscriptions: subscriptions, stripe: stripe, plansInForce: plans,
            unknownPrice: configuration.stripe.unknownPrice, returnedPayment: configuration.stripe.returnedPayment,
            pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds, clerkPlans: clerkPlans, time: time,
            metrics: metrics, logger: logger)
    }

    private var clerkPlans: ClerkPlanUpdater? {
        guard let key = configuration.clerk.secretKey else { return nil }
        let clerk = ClerkBackend(
            apiURL: configuration.clerk.apiURL, secretKey: key.revealed, httpClient: httpClient, logger: logger,
            outage: outages.clerk)
        return ClerkPlanUpdater(
            clerk: clerk, subscriptions: subscriptions, time: time,
            pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds, metrics: metrics, logger: logger)
    }
}
