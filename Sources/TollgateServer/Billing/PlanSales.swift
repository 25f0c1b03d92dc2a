import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateStore

/// What it takes to sell plans: Stripe, prices, customers, and the page to return to.
struct PlanSales: Sendable {
    let stripe: StripeClient
    let plans: PlansInForce

    let customers: StripeCustomers
    let look: SubscriptionLook

    /// The front end's page with the user's account, to which Stripe's pages lead back.
    let dashboardURL: String

    /// Of the plans that are sold now. None may be.
    var prices: PriceTable { plans.prices.current }

    /// The page that is come back to after a checkout.
    ///
    /// - Parameter result: `success` or `cancelled`.
    func returnURL(after result: String) -> String { "\(dashboardURL)?payment=\(result)" }

    /// The plan of a checkout that names none. Nil when several are sold and none is the one.
    var standardPlan: String? {
        let plans = prices.plans
        return plans.contains(StripeSettings.standardPlan)
            ? StripeSettings.standardPlan : plans.count == 1 ? plans.first : nil
    }
}
