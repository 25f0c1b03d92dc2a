import HTTPTypes
import Hummingbird
import JSONValue
import OutboundCalls
import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane

/// `POST /create-checkout` and `POST /billing-portal`: the two ways to Stripe's pages.
///
/// Both are limited by the minute and never refused for the quota: a user without calls left must be able to pay.
struct CheckoutEndpoints: Sendable {
    let gatekeeper: Gatekeeper

    /// Nil when a setting is missing, other than prices.
    let sales: PlanSales?

    /// Which.
    let missingSettings: [String]

    let time: any TimeSource
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
            switch try await sell(tier, at: price, to: admitted, sales) {
            case .alreadySubscribed(let record):
                throw alreadySubscribed(admitted, record, sales)
            case .page(let session):
                return Response(
                    json: ["checkoutUrl": .string(session.url), "usage": admitted.usage.json],
                    headers: admitted.rateLimitHeaders)
            }
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

    private func sell(
        _ tier: String, at price: String, to admitted: AdmittedCaller, _ sales: PlanSales
    ) async throws(APIError) -> PlanSales.Checkout {
        do {
            return try await sales.checkout(
                of: tier, priceID: price, for: admitted.principal.userID, on: admitted.usage.plan, at: time.now())
        } catch {
            throw error.apiError
        }
    }

    /// Tells the plan that the user has by now: Stripe was asked meanwhile.
    private func alreadySubscribed(
        _ admitted: AdmittedCaller, _ record: SubscriptionRecord?, _ sales: PlanSales
    ) -> APIError {
        let plan = record?.grantedPlan(at: time.now(), pastDueGraceSeconds: sales.look.pastDueGraceSeconds)
        let why =
            record?.status == .paymentReturned
            ? "What was paid for your subscription was returned, so it gives no plan until its next payment."
            : "There is a subscription already."
        var error = APIError(
            .conflict, error: "Already subscribed", code: "already-subscribed",
            message: "\(why) POST /billing-portal leads to the page where it is changed.")
        error.details = [
            JSON.Member(name: "plan", value: .string(plan ?? admitted.usage.plan)),
            JSON.Member(name: "portal", value: "/billing-portal"),
        ]
        return error
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
            let url = try await portal(of: admitted.principal.userID, sales)
            return Response(
                json: ["portalUrl": .string(url), "usage": admitted.usage.json], headers: admitted.rateLimitHeaders)
        }
    }

    /// The portal of the user's own customer. Another's, who pays for the user's subscription, is not the user's to open.
    private func portal(of user: UserID, _ sales: PlanSales) async throws(APIError) -> String {
        do {
            guard let customerID = try await sales.customers.ownCustomer(of: user) else { throw Self.noAccount }
            return try await sales.customers.asked { () async throws(CallError) in
                try await sales.stripe.createPortalSession(customerID: customerID, returnURL: sales.dashboardURL)
            }
        } catch let error as WebhookFailure {
            guard case .stripe(let problem) = error, problem.isAboutMissingCustomer else { throw error.apiError }
            throw Self.noAccount
        } catch let error as APIError {
            throw error
        } catch {
            throw .internalError(cause: "\(error)")
        }
    }

    private static let noAccount = APIError(
        .notFound, error: "No billing account", code: "billing-account-not-found",
        message: "Nothing was bought yet. POST /create-checkout leads to the page where a plan is.")

    // MARK: Both

    private func openSales() throws(APIError) -> PlanSales {
        if let sales, !sales.prices.plans.isEmpty { return sales }
        // Prices may have gone while the worker runs.
        let missing = missingSettings.isEmpty ? [Setting.stripePriceID.name] : missingSettings
        throw APIError(
            .notImplemented, error: "Billing is not configured", code: "billing-not-configured",
            message: "Set \(missing.joined(separator: ", ")).")
    }
}
