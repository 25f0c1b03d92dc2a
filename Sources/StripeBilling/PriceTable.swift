/// Which prices of Stripe's sell which plan.
package struct PriceTable: Sendable, Hashable {
    /// What one plan is sold for.
    package struct Offer: Sendable, Hashable {
        package let plan: String

        /// `price_…`, or `plan_…` of those from before there were prices. The first is what a checkout sells; the others
        /// are those of a year, and those of former days.
        package let priceIDs: [String]

        package init(plan: String, priceIDs: [String]) {
            self.plan = plan
            self.priceIDs = priceIDs
        }
    }

    /// Whether `text` has the form of a price's ID: `price_…`, or `plan_…` of those from before there were prices.
    package static func isPriceID(_ text: String) -> Bool {
        let isNamed = ["price_", "plan_"].contains { text.hasPrefix($0) && text.utf8.count > $0.utf8.count }
        return isNamed && text.utf8.count <= 255
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// In the order of the plan table, in which the better plan stands later.
    private let offers: [Offer]

    /// - Parameter offers: In the order of the plan table. Each price sells one plan.
    package init(_ offers: [Offer]) { self.offers = offers.filter { !$0.priceIDs.isEmpty } }

    /// The plans that are sold, in the order of the plan table.
    package var plans: [String] { offers.map(\.plan) }

    /// The price that a checkout of a plan sells. Nil when the plan is not sold.
    package func price(ofPlan plan: String) -> String? { offers.first { $0.plan == plan }?.priceIDs.first }

    /// All prices that sell a plan. None when it is not sold.
    package func prices(ofPlan plan: String) -> [String] { offers.first { $0.plan == plan }?.priceIDs ?? [] }

    /// The best plan that one of `priceIDs` sells. Nil when none sells one.
    package func plan(soldBy priceIDs: [String]) -> String? {
        offers.last { offer in offer.priceIDs.contains(where: priceIDs.contains) }?.plan
    }
}

extension PriceTable: CustomStringConvertible {
    /// Each plan with its prices, in the order of the plan table: `paid price_1 price_2, pro price_3`.
    package var description: String {
        offers.map { ([$0.plan] + $0.priceIDs).joined(separator: " ") }.joined(separator: ", ")
    }
}
