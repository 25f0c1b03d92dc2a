/// Which price of Stripe's sells which plan.
package struct PriceTable: Sendable, Hashable {
    private let prices: [String: String]

    /// - Parameter prices: `price_…` by the plan's name. Each price sells one plan.
    package init(_ prices: [String: String]) { self.prices = prices }

    /// The plans that are sold, in alphabetical order.
    package var plans: [String] { prices.keys.sorted() }

    /// `price_…` of a plan. Nil when it is not sold.
    package func price(ofPlan plan: String) -> String? { prices[plan] }

    /// The plan that one of `priceIDs` sells. Nil when none does.
    func plan(soldBy priceIDs: [String]) -> String? {
        priceIDs.lazy.compactMap { price in prices.first { $0.value == price }?.key }.first
    }
}
