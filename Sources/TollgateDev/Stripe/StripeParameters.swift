/// The parameters that each call of Stripe's API takes, as far as a gateway needs them.
enum StripeParameters {
    private static let anyTime = Int64(0)...Int64(1 << 40)

    /// `POST /v1/checkout/sessions`. Only subscriptions are sold here.
    static let checkoutSession = StripeParameter.object(
        [
            "mode": .oneOf(["subscription"]),
            "ui_mode": .oneOf(["hosted_page"]),
            "line_items": .list(
                .object(["price": .text(), "quantity": .integer(1...999_999)], required: ["price", "quantity"]),
                maximumCount: 20),
            "success_url": .url,
            "cancel_url": .url,
            "client_reference_id": .text(maximumLength: 200),
            "customer": .text(),
            "customer_email": .text(maximumLength: 800),
            "metadata": .metadata,
            "subscription_data": .object([
                "metadata": .metadata,
                "description": .text(maximumLength: 500),
                "trial_period_days": .integer(1...730),
            ]),
            "payment_method_collection": .oneOf(["always", "if_required"]),
            "allow_promotion_codes": .boolean,
            "automatic_tax": .object(["enabled": .boolean], required: ["enabled"]),
            "billing_address_collection": .oneOf(["auto", "required"]),
            "expires_at": .integer(anyTime),
            "locale": .text(),
        ],
        required: ["mode", "line_items", "success_url"])

    /// `POST /v1/billing_portal/sessions`.
    static let portalSession = StripeParameter.object(
        ["customer": .text(), "return_url": .url, "configuration": .text(), "locale": .text()],
        required: ["customer"])

    /// The query of the calls that read one object.
    static let none = StripeParameter.object([:])
}
