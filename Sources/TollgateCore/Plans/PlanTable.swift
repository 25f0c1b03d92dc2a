/// All plans that are sold. One of them, `free`, is every user's until something better is known.
package struct PlanTable: Sendable, Hashable {
    /// It is looked through at every admission, so it stays small.
    package static let maximumCount = 64

    /// The plan of a user of whom nothing is known, and of one whose plan is not in the table.
    package static let fallbackName = "free"

    /// In the order of the configuration.
    package let plans: [Plan]

    package let fallback: Plan

    package enum Problem: Error, Hashable {
        case duplicate(String)
        case noFallback
        case tooMany(Int)
        case invalidName(String)
        case limitOutOfRange(plan: String, field: String, value: Int)
    }

    /// Throws the first thing that is wrong with `plans`.
    package init(_ plans: [Plan]) throws(Problem) {
        guard plans.count <= Self.maximumCount else { throw .tooMany(plans.count) }
        var names = Set<String>()
        for plan in plans {
            guard Plan.isValidName(plan.name) else { throw .invalidName(plan.name) }
            guard names.insert(plan.name).inserted else { throw .duplicate(plan.name) }
            for (field, value) in [("quota", plan.quota), ("ratePerMinute", plan.ratePerMinute)]
            where !(0...Plan.maximumLimit).contains(value) {
                throw .limitOutOfRange(plan: plan.name, field: field, value: value)
            }
        }
        guard let fallback = plans.first(where: { $0.name == Self.fallbackName }) else { throw .noFallback }
        self.plans = plans
        self.fallback = fallback
    }

    private init(trusted plans: [Plan], fallback: Plan) {
        self.plans = plans
        self.fallback = fallback
    }

    /// `free` with 5 calls a month and `paid` with 500, both 100 a minute.
    package static let standard: PlanTable = {
        let free = Plan(name: fallbackName, quota: 5, ratePerMinute: 100)
        return PlanTable(trusted: [free, Plan(name: "paid", quota: 500, ratePerMinute: 100)], fallback: free)
    }()

    /// Whether any plan's periods are those of subscriptions.
    package var goesBySubscription: Bool { plans.contains { $0.period == .subscription } }

    package subscript(name: String) -> Plan? { plans.first { $0.name == name } }

    /// The place of a plan: of two, the one that stands later is the better. Nil of a plan that is not in the table.
    package func rank(of name: String) -> Int? { plans.firstIndex { $0.name == name } }
}
