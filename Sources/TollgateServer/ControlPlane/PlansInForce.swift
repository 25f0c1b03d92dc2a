import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateStore

/// The plan table, and what its plans are sold for: all of it may be replaced while the worker runs.
struct PlansInForce: Sendable {
    let plans: InForce<PlanTable>
    let prices: InForce<PriceTable>

    /// What customers are told that a month costs, by the name of the plan.
    let shownPrices: InForce<[String: PlanPrice]>

    init(_ configuration: GatewayConfiguration) {
        plans = InForce(configuration.plans)
        prices = InForce(configuration.stripe.prices)
        shownPrices = InForce(configuration.shownPrices)
    }

    /// Takes over the plans of `configuration`.
    ///
    /// - Returns: False when they are the same.
    func take(_ configuration: GatewayConfiguration) -> Bool {
        guard
            plans.current != configuration.plans || prices.current != configuration.stripe.prices
                || shownPrices.current != configuration.shownPrices
        else { return false }
        // A plan is sold when there is one.
        plans.replace(with: configuration.plans)
        prices.replace(with: configuration.stripe.prices)
        shownPrices.replace(with: configuration.shownPrices)
        return true
    }
}
