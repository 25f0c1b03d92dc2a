import StripeBilling
import TollgateCore
import Yams

/// The `plans` of `tollgate.yaml`: a mapping from a plan's name to its limits.
///
/// ```yaml
/// plans:
///   free: {quota: 5}
///   paid: {quota: 500, ratePerMinute: 300, price: 29 USD}
///   pro: {quota: 20000, period: subscription, price: 99 USD, priceId: price_123}
/// ```
struct PlanSection {
    /// The rate of a plan that does not say.
    static let defaultRatePerMinute = 100

    let fileName: String

    /// `price_…` by the name of the plan that they sell; a checkout sells the first.
    private(set) var prices: [String: [String]] = [:]

    /// What customers are told, by the plan's name.
    private(set) var shownPrices: [String: PlanPrice] = [:]

    private(set) var problems: [ConfigurationProblem] = []

    init(fileName: String) { self.fileName = fileName }

    /// The table. Nil when anything is wrong with it, and then ``problems`` says what.
    mutating func read(_ node: Node) -> PlanTable? {
        guard let mapping = node.mapping else {
            report(node, "'plans' is not a mapping", remedy: "Write `free: {quota: 5}` below it.")
            return nil
        }
        let plans = mapping.map { readPlan(nameNode: $0.key, node: $0.value) }
        if mapping.count > PlanTable.maximumCount {
            report(
                node, "there are \(mapping.count) plans", remedy: "At most \(PlanTable.maximumCount) are possible.")
        }
        if !mapping.contains(where: { $0.key.scalar?.string == PlanTable.fallbackName }) {
            report(
                node, "there is no plan '\(PlanTable.fallbackName)'",
                remedy: "Add it: it is the plan of every user of whom nothing else is known.")
        }
        guard problems.isEmpty else { return nil }
        do {
            return try PlanTable(plans.compactMap(\.self))
        } catch {
            report(node, "the plans are not valid: \(error)", remedy: "Correct them.")
            return nil
        }
    }

    private mutating func readPlan(nameNode: Node, node: Node) -> Plan? {
        let name = nameNode.scalar?.string ?? ""
        if !Plan.isValidName(name) {
            report(
                nameNode, "'\(name)' is no name for a plan",
                remedy: "Take 1 to 64 lower-case letters, digits, '_' and '-'.")
        }
        guard let limits = node.mapping else {
            report(nameNode, "the plan '\(name)' is not a mapping", remedy: "Write `\(name): {quota: 500}`.")
            return nil
        }
        var quota: Int?
        var ratePerMinute: Int? = Self.defaultRatePerMinute
        var period = BillingPeriod.Kind.calendar
        var alerts = AlertThresholds.standard
        for (keyNode, value) in limits {
            switch keyNode.scalar?.string {
            case "quota": quota = readLimit(value, named: "quota", plan: name)
            case "ratePerMinute": ratePerMinute = readLimit(value, named: "ratePerMinute", plan: name)
            case "period": period = readPeriod(value, plan: name)
            case "alerts": alerts = readAlerts(value, plan: name)
            case "price": readShownPrice(value, plan: name)
            case "priceId", "priceIds": readPrices(value, key: keyNode.scalar?.string ?? "", plan: name)
            case let key:
                report(
                    keyNode, "the plan '\(name)' has the unknown key \(Secret.quoted(key ?? ""))",
                    remedy: Suggestion.remedy(
                        for: key ?? "",
                        among: ["quota", "ratePerMinute", "period", "alerts", "price", "priceId", "priceIds"]))
            }
        }
        if !limits.contains(where: { $0.key.scalar?.string == "quota" }) {
            report(nameNode, "the plan '\(name)' has no quota", remedy: "Add `quota:` with the calls per month.")
        }
        guard let quota, let ratePerMinute else { return nil }
        return Plan(name: name, quota: quota, ratePerMinute: ratePerMinute, period: period, alerts: alerts)
    }

    private mutating func readPeriod(_ node: Node, plan: String) -> BillingPeriod.Kind {
        guard let period = node.scalar.flatMap({ BillingPeriod.Kind(rawValue: $0.string) }) else {
            report(
                node, "the period of the plan '\(plan)' is \(Secret.quoted(node.scalar?.string ?? ""))",
                remedy: "Write `calendar` for months in UTC, or `subscription` for what the customer has paid for.")
            return .calendar
        }
        if plan == PlanTable.fallbackName, period == .subscription {
            report(
                node, "the plan '\(plan)' has the period 'subscription'",
                remedy: "Remove it: this plan is not sold, and its users have no subscription to go by.")
        }
        return period
    }

    /// `alerts: [50, 80, 100]`
    private mutating func readAlerts(_ node: Node, plan: String) -> AlertThresholds {
        let percents = node.sequence?.map { $0.scalar.flatMap { Int($0.string) } }
        guard let percents, let alerts = AlertThresholds(percents.compactMap(\.self)),
            alerts.percents.count == percents.count
        else {
            report(
                node, "the alerts of the plan '\(plan)' are no list of percents",
                remedy: "Write up to \(AlertThresholds.maximumCount) different whole numbers from 1 to 100, such as "
                    + "`alerts: [50, 80, 100]`, or `alerts: []` for none.")
            return .standard
        }
        return alerts
    }

    private mutating func readShownPrice(_ node: Node, plan: String) {
        guard let price = PlanPrice(node.scalar?.string ?? "") else {
            return report(
                node, "the price of the plan '\(plan)' is no price",
                remedy: "Give the amount of a month and the currency, such as `29 USD` or `29.50 EUR`.")
        }
        shownPrices[plan] = price
    }

    /// `priceId: price_1`, or `priceIds: [price_month, price_year]`.
    private mutating func readPrices(_ node: Node, key: String, plan: String) {
        let isList = key == "priceIds"
        guard let ids = isList ? node.sequence.map({ Array($0) }) : node.scalar.map({ _ in [node] }) else {
            return report(
                node, "the \(key) of the plan '\(plan)' is \(isList ? "no list" : "no text")",
                remedy: "Write `priceId: price_1`, or `priceIds: [price_1, price_2]` for several.")
        }
        if ids.isEmpty {
            return report(
                node, "the priceIds of the plan '\(plan)' are empty",
                remedy: "Add the IDs of its prices, or remove the line where the plan is not sold.")
        }
        if plan == PlanTable.fallbackName {
            return report(node, "the plan '\(plan)' has a \(key)", remedy: "Remove it: this plan is not sold.")
        }
        if prices[plan] != nil {
            report(node, "the plan '\(plan)' has both priceId and priceIds", remedy: "Write all into priceIds.")
        }
        for id in ids { readPrice(id, plan: plan) }
    }

    private mutating func readPrice(_ node: Node, plan: String) {
        let price = node.scalar?.string ?? ""
        guard PriceTable.isPriceID(price) else {
            return report(
                node, "the plan '\(plan)' has \(Secret.quoted(price)) for a price, which is not the ID of one",
                remedy: "Copy the price's ID (price_…) from the product's page in Stripe's dashboard; prod_… is the "
                    + "product. Several stand in a list: `priceIds: [price_1, price_2]`.")
        }
        if let other = prices.first(where: { $0.value.contains(price) })?.key {
            report(
                node,
                other == plan
                    ? "the plan '\(plan)' has the price \(price) twice"
                    : "the plans '\(other)' and '\(plan)' have the same priceId",
                remedy: "Give each a price of its own: by it a payment is told to be for one or the other.")
        }
        prices[plan, default: []].append(price)
    }

    private mutating func readLimit(_ node: Node, named key: String, plan: String) -> Int? {
        let remedy = "Give a whole number from 0 to \(Plan.maximumLimit)."
        guard let text = node.scalar?.string, let value = Int(text) else {
            report(node, "the \(key) of the plan '\(plan)' is not a whole number", remedy: remedy)
            return nil
        }
        guard (0...Plan.maximumLimit).contains(value) else {
            report(node, "the \(key) of the plan '\(plan)' is \(value)", remedy: remedy)
            return nil
        }
        return value
    }

    private mutating func report(_ node: Node, _ message: String, remedy: String) {
        problems.append(ConfigurationProblem(place: "\(fileName):\(node.line)", message: message, remedy: remedy))
    }
}
