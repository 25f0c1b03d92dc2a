package import StripeBilling
import TollgateCore

/// How to sell plans. Every part is optional: without them checkouts are refused, nothing else changes.
package struct StripeSettings: Sendable, Hashable {
    /// For Stripe's API. Restricted keys will do.
    package let secretKey: Secret?

    /// Which price sells which plan.
    package let prices: PriceTable

    /// The signing secrets of the webhook endpoint: more than one during a rotation.
    package let webhookSecrets: [Secret]

    /// Without a slash at its end.
    package let apiURL: String

    /// What becomes of a plan whose subscription is changed to a price that sells none.
    package let unknownPrice: UnknownPriceRule

    /// What becomes of a plan whose payment is returned.
    package let returnedPayment: ReturnedPaymentRule

    /// The types of events that the webhook endpoint has to be sent.
    package var neededEvents: [String] {
        StripeEvent.neededTypes + (returnedPayment == .end ? StripeEvent.typesOfReturnedPayments : [])
    }

    /// How long a customer whose payment is owed keeps the plan.
    package let pastDueGraceDays: Int

    package var pastDueGraceSeconds: Int64 { Int64(pastDueGraceDays) * 86_400 }

    /// The plan that `STRIPE_PRICE_ID` sells, and that a checkout sells which names none.
    package static let standardPlan = "paid"

    /// - Parameter planPrices: What `tollgate.yaml` says, by plan.
    init(_ reader: inout SettingReader, plans: PlanTable, planPrices: [String: [String]]) {
        secretKey = reader.prefixed(
            .stripeSecretKey, ["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
            remedy: "Copy a secret or restricted key from the API keys page of Stripe's dashboard."
        ).first.map(Secret.init)
        var prices = planPrices
        // What the setting says comes first: a checkout sells it.
        if let price = reader.price() {
            prices[Self.standardPlan] = [price] + (prices[Self.standardPlan] ?? []).filter { $0 != price }
        }
        self.prices = PriceTable(plans.plans.map { .init(plan: $0.name, priceIDs: prices[$0.name] ?? []) })
        unknownPrice = reader.rule(.stripeUnknownPrice, orElse: .free)
        returnedPayment = reader.rule(.stripeOnRefund, orElse: .keep)
        webhookSecrets = reader.prefixed(
            .stripeWebhookSecret, ["whsec_"],
            remedy: "Copy the signing secret from the webhook endpoint's page in Stripe's dashboard."
        ).map(Secret.init)
        apiURL = reader.apiURL(.stripeAPIURL)
        pastDueGraceDays = reader.integer(.stripePastDueGraceDays)
        reader.checkStandardPlan(among: plans, others: planPrices)
        reader.checkWebhooksCanBeSettled()
    }
}

extension SettingReader {
    /// The price of ``StripeSettings/standardPlan``.
    fileprivate mutating func price() -> String? {
        guard let found = find(.stripePriceID) else { return nil }
        guard PriceTable.isPriceID(found.text) else {
            report(
                found, "is not the ID of one price",
                remedy: "Copy the price's ID (price_…) from the product's page in Stripe's dashboard; prod_… is the "
                    + "product. Several prices of a plan stand in tollgate.yaml: `priceIds: [price_1, price_2]`.")
            return nil
        }
        return found.text
    }

    /// One of the two ways that a rule has.
    fileprivate mutating func rule<Rule: CaseIterable & RawRepresentable<String>>(
        _ setting: Setting, orElse standard: Rule
    ) -> Rule {
        guard let found = find(setting) else { return standard }
        if let rule = Rule(rawValue: found.text) { return rule }
        let names = Rule.allCases.map(\.rawValue).joined(separator: " nor ")
        report(found, "is neither \(names)", remedy: "Give one of the two.")
        return standard
    }

    fileprivate mutating func checkStandardPlan(among plans: PlanTable, others: [String: [String]]) {
        guard let found = find(.stripePriceID) else { return }
        if plans[StripeSettings.standardPlan] == nil {
            report(
                found, "sells the plan '\(StripeSettings.standardPlan)', which is not among the plans",
                remedy: "Add that plan, or give the plans a priceId in tollgate.yaml instead.")
        }
        if let other = others.first(where: { $0.value.contains(found.text) && $0.key != StripeSettings.standardPlan }) {
            report(
                found, "is the priceId of the plan '\(other.key)' too", remedy: "Give each plan a price of its own.")
        }
    }

    /// Two events of one second come in either order; only Stripe knows which was last.
    fileprivate mutating func checkWebhooksCanBeSettled() {
        guard let found = find(.stripeWebhookSecret), find(.stripeSecretKey) == nil else { return }
        report(
            found, "is set and STRIPE_SECRET_KEY is not",
            remedy: "Set it as well: webhooks whose order is not known are settled by asking Stripe.")
    }

    /// The value of a setting, or the values of a list, each of which begins with one of `prefixes`.
    fileprivate mutating func prefixed(_ setting: Setting, _ prefixes: [String], remedy: String) -> [String] {
        guard let found = find(setting) else { return [] }
        let values = setting.kind == .list ? found.text.commaSeparated : [found.text]
        let areValid = values.allSatisfy { value in
            !value.contains(where: \.isWhitespace)
                && prefixes.contains { value.hasPrefix($0) && value.count > $0.count }
        }
        if !areValid {
            report(found, "does not begin with \(prefixes.joined(separator: " or "))", remedy: remedy)
        }
        return values
    }
}
