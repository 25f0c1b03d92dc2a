import JSONValue
import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// The plans as customers are told of them.
struct PlanOffers: Sendable {
    let plans: PlansInForce

    /// Whether plans that have a price can be bought here.
    let isSelling: Bool

    let pastDueGraceSeconds: Int64

    /// The names of those that can be bought.
    private var sold: Set<String> { isSelling ? Set(plans.prices.current.plans) : [] }

    var json: JSON {
        let (prices, sold) = (plans.shownPrices.current, sold)
        return .array(
            plans.plans.current.plans.map { plan in
                [
                    "name": .string(plan.name), "quota": .integer(plan.quota),
                    "ratePerMinute": .integer(plan.ratePerMinute), "price": prices[plan.name]?.json ?? .null,
                    "isSold": .bool(sold.contains(plan.name)),
                ]
            })
    }

    /// What the customer has bought, as far as it is theirs to know.
    ///
    /// - Returns: Nil when there is nothing.
    func json(of bought: KnownPurchases) -> JSON? {
        guard let record = bought.record else { return nil }
        return [
            "plan": .string(record.plan), "status": .string(record.status.name),
            // What was given by hand is not renewed.
            "periodEnd": .moment(record.isByHand ? nil : record.period?.end), "endsAt": .moment(record.endsAt),
            "trialEnd": .moment(record.trialEnd), "collectionPause": record.collectionPause?.json ?? .null,
            "pastDueSince": .moment(record.pastDueSince),
            "graceUntil": .moment(record.graceEnd(pastDueGraceSeconds: pastDueGraceSeconds)),
            "hasPortal": .bool(isSelling && (bought.ownCustomerID ?? record.customerID) != nil),
        ]
    }
}

extension PlanPrice {
    fileprivate var json: JSON { ["amount": .string(amount), "currency": .string(currency)] }
}

extension Subscription.CollectionPause {
    /// What is not known is null.
    var json: JSON {
        switch self {
        case .untilFurtherNotice: ["until": nil]
        case .until(let moment): ["until": .moment(moment)]
        }
    }
}
