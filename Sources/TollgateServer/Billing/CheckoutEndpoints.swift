import HTTPTypes
import Hummingbird
import JSONValue
import OutboundCalls
import StripeBilling
import TollgateCore
import TollgateDataPlane

/// `POST /create-checkout` and `POST /billing-portal`: the two ways to Stripe's pages.
///
/// Both are limited by the minute and never refused for the quota: a user without calls left must be able to pay.
struct CheckoutEndpoints: Sendable {
    let gatekeeper: Gatekeeper

    /// Nil when a setting is missing.
    let sales: PlanSales?

    /// Which.
    let missingSettings: [String]

    let subscriptions: any SubscriptionStore
    let time: any TimeSource
    let metrics: BillingMetrics
    let bodyLimitBytes: Int

    var endpoints: [EndpointTable.Endpoint] {
        [
            .init(method: .post, path: "/create-checkout", handler: createCheckout),
            .init(method: .post, path: "/billing-portal", handler: openPortal),
        ]
    }

    // MARK: Buying

    /// Counts one call while there is one left.
    @Sendable private func createCheckout(_ request: Request, _ context: GatewayRequestContext) async throws -> Response
    {
        let sales = try openSales()
        let body = try await request.body(upTo: bodyLimitBytes)
        let (tier, price) = try Self.offer(in: sales, asked: try CheckoutBody.tier(in: body))
        return try await gatekeeper.serve(
            request.headers,
            .endpoint("create-checkout", quotaPolicy: .countWhileSomeIsLeft, scopes: [.billing]),
            from: context.network
        ) { admitted in
            let record = try await subscriptions.record(of: admitted.principal.userID)
            try refuseSecondSubscription(to: tier, record, admitted)
            let checkout = CheckoutRequest(
                userID: admitted.principal.userID, tier: tier, priceID: price,
                successURL: sales.returnURL(after: "success"), cancelURL: sales.returnURL(after: "cancelled"),
                customerID: record?.customerID)
            let session = try await session(for: checkout, in: sales)
            return Response(
                json: ["checkoutUrl": .string(session.url), "usage": admitted.usage.json],
                headers: admitted.rateLimitHeaders)
        }
    }

    private static func offer(in sales: PlanSales, asked: String?) throws(APIError) -> (tier: String, price: String) {
        let sold = sales.prices.plans.joined(separator: ", ")
        guard let tier = asked ?? sales.standardPlan else {
            throw .badRequest("Say which plan: {\"tier\": \"…\"} with one of \(sold).")
        }
        guard let price = sales.prices.price(ofPlan: tier) else {
            throw APIError(
                .badRequest, error: "Unknown tier", code: "unknown-tier", message: "These plans are sold: \(sold).")
        }
        return (tier, price)
    }

    /// A second subscription would be paid for beside the first.
    private func refuseSecondSubscription(
        to tier: String, _ record: SubscriptionRecord?, _ admitted: AdmittedCaller
    ) throws(APIError) {
        let hasSubscription = record.map { $0.subscriptionID != nil && $0.status.isLasting } ?? false
        guard hasSubscription || admitted.usage.plan == tier else { return }
        var error = APIError(
            .conflict, error: "Already subscribed", code: "already-subscribed",
            message: "There is a subscription already. POST /billing-portal leads to the page where it is changed.")
        error.details = [
            JSON.Member(name: "plan", value: .string(admitted.usage.plan)),
            JSON.Member(name: "portal", value: "/billing-portal"),
        ]
        throw error
    }

    private func session(for checkout: CheckoutRequest, in sales: PlanSales) async throws(APIError) -> CheckoutSession {
        do {
            return try await sales.stripe.createCheckoutSession(
                checkout, idempotencyKey: checkout.idempotencyKey(at: time.now()))
        } catch {
            // Deleted at Stripe since: the user becomes a new customer.
            guard error.isAboutMissingCustomer, checkout.customerID != nil else { throw refusal(error) }
            var checkout = checkout
            checkout.customerID = nil
            return try await session(for: checkout, in: sales)
        }
    }

    // MARK: Changing and cancelling

    /// Costs no call.
    @Sendable private func openPortal(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let sales = try openSales()
        _ = try await request.body(upTo: bodyLimitBytes)
        return try await gatekeeper.serve(
            request.headers,
            .endpoint("billing-portal", cost: 0, quotaPolicy: .countWhileSomeIsLeft, scopes: [.billing]),
            from: context.network
        ) { admitted in
            guard let customerID = try await subscriptions.record(of: admitted.principal.userID)?.customerID else {
                throw Self.noAccount
            }
            let url: String
            do throws(CallError) {
                url = try await sales.stripe.createPortalSession(customerID: customerID, returnURL: sales.dashboardURL)
            } catch {
                throw error.isAboutMissingCustomer ? Self.noAccount : refusal(error)
            }
            return Response(
                json: ["portalUrl": .string(url), "usage": admitted.usage.json], headers: admitted.rateLimitHeaders)
        }
    }

    private static let noAccount = APIError(
        .notFound, error: "No billing account", code: "billing-account-not-found",
        message: "Nothing was bought yet. POST /create-checkout leads to the page where a plan is.")

    // MARK: Both

    private func openSales() throws(APIError) -> PlanSales {
        if let sales { return sales }
        throw APIError(
            .notImplemented, error: "Billing is not configured", code: "billing-not-configured",
            message: "Set \(missingSettings.joined(separator: ", ")).")
    }

    private func refusal(_ error: CallError) -> APIError {
        metrics.stripeError(error)
        return .paymentProvider(error)
    }
}

extension SubscriptionStatus {
    /// It goes on, paid or not, and can be changed or settled in the portal.
    fileprivate var isLasting: Bool { !isFinal && self != .incomplete }
}

extension CallError {
    /// The customer that was named is none of the account's any more.
    fileprivate var isAboutMissingCustomer: Bool { code == "resource_missing" && parameter == "customer" }
}
