import StripeBilling
import TollgateCore

/// What it takes to sell plans, and what is told of a configuration that has a part of it.
extension GatewayConfiguration {
    /// The names of the settings without which no plan can be sold. Empty when they all are there.
    package var settingsMissingForSale: [String] {
        StripeSettings.missingForSale(
            stripe.secretKey, stripe.prices.plans.isEmpty, stripe.webhookSecrets, frontendURL)
    }
}

extension StripeSettings {
    fileprivate static func missingForSale(
        _ secretKey: Secret?, _ hasNoPrices: Bool, _ webhookSecrets: [Secret], _ frontendURL: String?
    ) -> [String] {
        var missing: [String] = []
        if secretKey == nil { missing.append(Setting.stripeSecretKey.name) }
        if hasNoPrices { missing.append(Setting.stripePriceID.name) }
        // Without it no event would be taken, so no payment would change a plan.
        if webhookSecrets.isEmpty { missing.append(Setting.stripeWebhookSecret.name) }
        if frontendURL == nil { missing.append(Setting.frontendURL.name) }
        return missing
    }
}

extension SettingReader {
    /// Plans that do not do what the order of the table and their prices say.
    ///
    /// - Parameter place: Of the section.
    mutating func warnOfPlans(_ plans: PlanTable, _ stripe: StripeSettings, at place: String) {
        for (lesser, better) in zip(plans.plans, plans.plans.dropFirst()) where better.quota < lesser.quota {
            warn(
                place,
                "the plan '\(better.name)' stands after '\(lesser.name)' and has less calls: who has bought both has "
                    + "'\(better.name)'",
                remedy: "Write the better plan below the other.")
        }
        if !stripe.prices.plans.isEmpty, find(.stripeSecretKey) == nil, find(.stripePriceID) == nil {
            warn(
                place, "plans have prices, and \(Setting.stripeSecretKey.name) is not set: nothing is sold",
                remedy: "Set it and the other settings of Stripe, or remove the prices.")
        }
    }

    /// Who gives Stripe's key or a price wants to sell.
    mutating func warnOfHalfASale(_ stripe: StripeSettings, frontendURL: String?) {
        guard let found = find(.stripeSecretKey) ?? find(.stripePriceID) else { return }
        let missing = StripeSettings.missingForSale(
            stripe.secretKey, stripe.prices.plans.isEmpty, stripe.webhookSecrets, frontendURL)
        if !missing.isEmpty {
            let names = missing.joined(separator: ", ")
            let noEvents = stripe.secretKey != nil && stripe.webhookSecrets.isEmpty
            warn(
                found,
                "is set, and \(names) \(missing.count == 1 ? "is" : "are") not: checkouts answer 501"
                    + (noEvents ? ", and nothing that Stripe knows reaches a plan" : ""),
                remedy: "Set \(missing.count == 1 ? "it" : "them") as well, or none of the settings of Stripe.")
        }
        if find(.clerkSecretKey) == nil {
            warn(
                found, "is set, and \(Setting.clerkSecretKey.name) is not: Clerk is not told what users have bought",
                remedy: "Set it as well, unless nobody reads the plan out of Clerk's metadata.")
        }
    }
}
