import JSONValue
import NIOHTTP1
package import OutboundCalls
import PercentCoding

/// A price, as far as an operator may have set it up wrongly.
package struct StripePrice: Sendable, Hashable {
    package let isActive: Bool

    /// Whether it is paid again and again, as a subscription's is.
    package let isRecurring: Bool

    /// Whether that is once a month.
    package let isMonthly: Bool

    /// In small letters, such as `usd`.
    package let currency: String

    /// In the smallest unit of the currency. Nil where it has no fixed amount.
    package let unitAmount: Int64?

    package init(isActive: Bool, isRecurring: Bool, isMonthly: Bool, currency: String, unitAmount: Int64?) {
        self.isActive = isActive
        self.isRecurring = isRecurring
        self.isMonthly = isMonthly
        self.currency = currency
        self.unitAmount = unitAmount
    }
}

/// Where Stripe sends which events.
package struct StripeWebhookRegistration: Sendable, Hashable {
    package let url: String
    package let isEnabled: Bool

    /// `*` stands for all.
    package let events: Set<String>

    package init(url: String, isEnabled: Bool, events: Set<String>) {
        self.url = url
        self.isEnabled = isEnabled
        self.events = events
    }
}

/// What `tollgate doctor` asks for. All of it only reads.
extension StripeClient {
    /// Whether the key may read subscriptions, which webhooks need.
    ///
    /// - Throws: Why not.
    package func checkKey() async throws(CallError) { try await check("/v1/subscriptions?limit=1") }

    /// Whether the key may read events, which reconciliations need.
    ///
    /// - Throws: Why not.
    package func checkEvents() async throws(CallError) { try await check("/v1/events?limit=1") }

    private func check(_ path: String) async throws(CallError) {
        let call = StripeCall(method: .GET, path: path)
        try await transport.send(call) { list throws(UnexpectedShape) in
            _ = try list.required("object", \.nonEmptyString)
        }
    }

    /// Nil when Stripe has none of that id in the key's mode.
    package func price(id: String) async throws(CallError) -> StripePrice? {
        guard let segment = PercentEncoding.pathSegment(id) else { return nil }
        do {
            return try await transport.send(StripeCall(method: .GET, path: "/v1/prices/" + segment)) {
                price throws(UnexpectedShape) in
                let recurring = price["recurring"]
                return StripePrice(
                    isActive: try price.required("active", \.bool), isRecurring: price["type"].string == "recurring",
                    isMonthly: recurring["interval"].string == "month" && recurring["interval_count"].integer == 1,
                    currency: try price.required("currency", \.nonEmptyString), unitAmount: price["unit_amount"].integer
                )
            }
        } catch {
            guard error.httpStatus == 404, error.type == "invalid_request_error" else { throw error }
            return nil
        }
    }

    /// The endpoints that are registered, up to 100.
    package func webhookRegistrations() async throws(CallError) -> [StripeWebhookRegistration] {
        let call = StripeCall(method: .GET, path: "/v1/webhook_endpoints?limit=100")
        return try await transport.send(call) { list throws(UnexpectedShape) in
            var found: [StripeWebhookRegistration] = []
            for endpoint in list["data"].elements ?? [] {
                found.append(
                    StripeWebhookRegistration(
                        url: try endpoint.required("url", \.nonEmptyString),
                        isEnabled: endpoint["status"].string == "enabled",
                        events: Set((endpoint["enabled_events"].elements ?? []).compactMap(\.nonEmptyString))))
            }
            return found
        }
    }
}
