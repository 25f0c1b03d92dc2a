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

    /// `POST /v1/customers`.
    static let customer = StripeParameter.object([
        "description": .text(maximumLength: 350), "email": .text(maximumLength: 512), "metadata": .metadata,
        "name": .text(maximumLength: 256),
    ])

    /// `GET /v1/customers`.
    static let customers = list(["email": .text(maximumLength: 512)])

    /// `GET /v1/subscriptions`. Without a status those that have not ended.
    static let subscriptions = list([
        "customer": .text(), "price": .text(),
        "status": .oneOf([
            "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing",
            "unpaid",
        ]),
    ])

    /// `GET /v1/checkout/sessions`.
    static let checkoutSessions = list([
        "customer": .text(), "subscription": .text(), "status": .oneOf(["complete", "expired", "open"]),
    ])

    /// `GET /v1/events`.
    static let events = list([
        "delivery_success": .boolean, "type": .text(), "types": .list(.text(), maximumCount: 20),
    ])

    /// `GET /v1/invoice_payments`: which invoice a payment was for.
    static let invoicePayments = list([
        "invoice": .text(),
        "payment": .object(
            ["type": .oneOf(["charge", "payment_intent"]), "charge": .text(), "payment_intent": .text()],
            required: ["type"]),
    ])

    /// The query of a list with these filters, besides those that all lists have.
    static func list(_ filters: [String: StripeParameter]) -> StripeParameter {
        let common: [String: StripeParameter] = [
            "created": .object([
                "gt": .integer(anyTime), "gte": .integer(anyTime), "lt": .integer(anyTime), "lte": .integer(anyTime),
            ]),
            "ending_before": .text(), "limit": .integer(1...100), "starting_after": .text(),
        ]
        return .object(common.merging(filters) { $1 })
    }

    /// The query of the calls that read one object, and the form of those that only name one.
    static let none = StripeParameter.object([:])
}
