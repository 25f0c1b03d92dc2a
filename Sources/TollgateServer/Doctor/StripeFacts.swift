import OutboundCalls
import StripeBilling
import TollgateConfiguration
import TollgateCore

/// What Stripe has answered, to be judged.
struct StripeFacts: Sendable {
    /// A plan's price, and what Stripe knows of it: nil when it knows none.
    struct Sale: Sendable {
        let plan: String
        let priceID: String

        /// What customers are told. Nil when they are told nothing.
        let shown: PlanPrice?
        let price: Result<StripePrice?, CallError>
    }

    /// Whether the key may do what webhooks need.
    let key: Result<Void, CallError>
    let sales: [Sale]

    /// Nil when no webhook is to be received.
    let registrations: Result<[StripeWebhookRegistration], CallError>?

    /// What the endpoint has to be sent.
    var neededEvents = StripeEvent.neededTypes

    /// Whether the key may do what reconciliations need.
    var events: Result<Void, CallError> = .success(())
}

extension StripeFacts {
    var findings: [Finding] {
        if case .failure(let error) = key, error.httpStatus == nil || error.httpStatus == 401 {
            return [
                keyFinding, .skipped(.stripe, "prices", "unreachable"), .skipped(.stripe, "webhook", "unreachable"),
            ]
        }
        return [keyFinding] + saleFindings + [webhook] + eventFindings
    }

    private var eventFindings: [Finding] {
        guard events.failure?.httpStatus == 403 else { return [] }
        return [
            .warn(
                .stripe, "events",
                "STRIPE_SECRET_KEY may not read events: what a webhook did not tell is found once a day instead of within "
                    + "minutes.",
                remedy: "Give the restricted key the right Events: read.")
        ]
    }

    private var keyFinding: Finding {
        guard let error = key.failure else { return .ok(.stripe, "secret-key", "Stripe takes it") }
        switch error.httpStatus {
        case 401:
            return .fail(
                .stripe, "secret-key", "Stripe does not take STRIPE_SECRET_KEY.",
                remedy: "Copy a secret or restricted key from the API keys page of Stripe's dashboard.")
        case 403:
            return .fail(
                .stripe, "secret-key", "STRIPE_SECRET_KEY may not read subscriptions, which webhooks need.",
                remedy: "Give the restricted key the right Subscriptions: read.")
        default:
            return .fail(
                .stripe, "secret-key", "Stripe cannot be asked: \(error)",
                remedy: "See whether this machine reaches STRIPE_API_URL, and Stripe's status page.")
        }
    }

    private var saleFindings: [Finding] {
        sales.isEmpty ? [.skipped(.stripe, "prices", "not configured")] : sales.map(\.finding)
    }

    private var webhook: Finding {
        let found: [StripeWebhookRegistration]
        switch registrations {
        case nil: return .skipped(.stripe, "webhook", "not configured")
        case .failure(let error) where error.httpStatus == 403:
            return .skipped(
                .stripe, "webhook", "not permitted (Webhook Endpoints: read)",
                remedy:
                    "Compare its events with those in the guide Selling by hand, or run the doctor with another key: "
                    + "--set STRIPE_SECRET_KEY=….")
        case .failure(let error): return .skipped(.stripe, "webhook", "\(error)")
        case .success(let registrations): found = registrations.filter { $0.url.hasSuffix(WebhookEndpoint.path) }
        }
        guard let endpoint = found.first(where: \.isEnabled) else {
            return .fail(
                .stripe, "webhook",
                found.isEmpty
                    ? "Stripe has no webhook endpoint whose URL ends with \(WebhookEndpoint.path): payments go unseen."
                    : "The webhook endpoint \(found[0].url) is switched off.",
                remedy: "Make one, or switch it on: Developers, Webhooks in Stripe's dashboard.")
        }
        let missing =
            endpoint.events.contains("*") ? [] : neededEvents.filter { !endpoint.events.contains($0) }
        guard missing.isEmpty else {
            return .fail(
                .stripe, "webhook", "Stripe does not send \(missing.joined(separator: ", ")) to \(endpoint.url).",
                remedy: "Add these events to the endpoint in Stripe's dashboard.")
        }
        return .ok(.stripe, "webhook", "\(endpoint.url) is sent all that is needed")
    }
}

extension StripeFacts.Sale {
    /// Currencies without a smaller unit (https://docs.stripe.com/currencies#zero-decimal).
    private static let wholeCurrencies: Set<String> = [
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
    ]

    fileprivate var finding: Finding {
        switch price {
        case .failure(let error) where error.httpStatus == 403:
            .skipped(.stripe, "prices", "\(plan): not permitted (Prices: read)")
        case .failure(let error): .skipped(.stripe, "prices", "\(plan): \(error)")
        case .success(nil):
            .fail(
                .stripe, "prices", "Stripe knows no price \(priceID), which is to sell '\(plan)'.",
                remedy:
                    "Copy the price's ID again, in the mode of STRIPE_SECRET_KEY: live and test have prices of their own."
            )
        case .success(let price?): finding(of: price)
        }
    }

    private func finding(of price: StripePrice) -> Finding {
        guard price.isActive else {
            return .fail(
                .stripe, "prices", "The price \(priceID) of '\(plan)' is archived: no customer can buy it.",
                remedy: "Make it active again, or give the plan another price.")
        }
        guard price.isRecurring else {
            return .fail(
                .stripe, "prices", "The price \(priceID) of '\(plan)' is paid once: it sells no subscription.",
                remedy: "Make a recurring price, and give its ID.")
        }
        guard let charged = charged(price) else { return .ok(.stripe, "prices", "\(plan): active and recurring") }
        if let shown, price.isMonthly, Self.plain(shown.amount) + " " + shown.currency != charged {
            return .warn(
                .stripe, "prices",
                "Customers are told that '\(plan)' costs \(shown.amount) \(shown.currency), and are "
                    + "charged \(charged).",
                remedy: "Correct the plan's price in tollgate.yaml, or the one at Stripe.")
        }
        return .ok(
            .stripe, "prices", "\(plan): \(charged)\(price.isMonthly ? " a month" : ", not by the month") (\(priceID))")
    }

    /// Such as `29 USD`. Nil for a price without a fixed amount.
    private func charged(_ price: StripePrice) -> String? {
        guard let amount = price.unitAmount, amount >= 0 else { return nil }
        let currency = price.currency.uppercased()
        if Self.wholeCurrencies.contains(price.currency) { return "\(amount) \(currency)" }
        let cents = amount % 100
        return Self.plain("\(amount / 100).\(cents < 10 ? "0" : "")\(cents)") + " " + currency
    }

    /// Without zeros that say nothing: `29.00` and `29` are the same.
    private static func plain(_ amount: String) -> String {
        guard amount.contains(".") else { return amount }
        let digits = amount.reversed().drop { $0 == "0" }.reversed()
        return String(digits.last == "." ? digits.dropLast() : digits[...])
    }
}
