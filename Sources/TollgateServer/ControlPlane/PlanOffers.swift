import JSONValue
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane

/// The plans as customers are told of them.
struct PlanOffers: Sendable {
    let plans: PlanTable
    let prices: [String: PlanPrice]

    /// The names of those that can be bought here.
    let sold: Set<String>

    let pastDueGraceSeconds: Int64

    var json: JSON {
        .array(
            plans.plans.map { plan in
                [
                    "name": .string(plan.name), "quota": .integer(plan.quota),
                    "ratePerMinute": .integer(plan.ratePerMinute), "price": prices[plan.name]?.json ?? .null,
                    "isSold": .bool(sold.contains(plan.name)),
                ]
            })
    }

    /// What the customer has bought, as far as it is theirs to know.
    func json(of record: SubscriptionRecord) -> JSON {
        [
            "plan": .string(record.plan), "status": .string(record.status.name),
            "periodEnd": .moment(record.period?.end), "endsAt": .moment(record.endsAt),
            "trialEnd": .moment(record.trialEnd), "collectionPause": record.collectionPause?.json ?? .null,
            "pastDueSince": .moment(record.pastDueSince),
            "graceUntil": .moment(record.graceEnd(pastDueGraceSeconds: pastDueGraceSeconds)),
            "hasPortal": .bool(!sold.isEmpty && record.customerID != nil),
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
