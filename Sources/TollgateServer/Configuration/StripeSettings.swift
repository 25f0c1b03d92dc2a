/// How to sell plans. Every part is optional: without them checkouts are refused, nothing else changes.
package struct StripeSettings: Sendable, Hashable {
    /// For Stripe's API. Restricted keys will do.
    package let secretKey: Secret?

    /// The price that a checkout sells.
    package let priceID: String?

    /// The signing secrets of the webhook endpoint: more than one during a rotation.
    package let webhookSecrets: [Secret]

    /// Without a slash at its end.
    package let apiURL: String

    init(_ reader: inout SettingReader) {
        secretKey = reader.prefixed(
            .stripeSecretKey, ["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
            remedy: "Copy a secret or restricted key from the API keys page of Stripe's dashboard."
        ).first.map(Secret.init)
        priceID =
            reader.prefixed(
                .stripePriceID, ["price_"],
                remedy: "Copy the price's ID from the product's page in Stripe's dashboard; prod_… is the product."
            ).first
        webhookSecrets = reader.prefixed(
            .stripeWebhookSecret, ["whsec_"],
            remedy: "Copy the signing secret from the webhook endpoint's page in Stripe's dashboard."
        ).map(Secret.init)
        apiURL = reader.apiURL(.stripeAPIURL)
    }
}

extension SettingReader {
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
