import JSONValue
import TollgateCore

/// Stripe's objects as the API version ``StripeStandIn/apiVersion`` shapes them, with what a gateway reads of them.
enum StripeObjects {
    private static let secondsPerDay: Int64 = 86_400

    /// Every month has 30 days here.
    static let secondsPerMonth = 30 * secondsPerDay

    /// - Parameter parameters: As ``StripeParameters/checkoutSession`` checked them.
    static func checkoutSession(
        id: String, url: String, parameters: JSON, unitAmount: Int64, now: UnixTime
    ) -> JSON {
        let quantities = parameters["line_items"].elements?.compactMap { $0["quantity"].integer } ?? []
        // Bounded by the rules: 20 items of fewer than a million.
        let amount = JSON.integer(quantities.reduce(0, +) * unitAmount)
        return [
            "id": .string(id), "object": "checkout.session",
            "amount_subtotal": amount, "amount_total": amount, "currency": "usd",
            "cancel_url": parameters["cancel_url"], "success_url": parameters["success_url"],
            "client_reference_id": parameters["client_reference_id"],
            "created": .integer(now.seconds),
            "expires_at": .integer(parameters["expires_at"].integer ?? now.seconds + secondsPerDay),
            "customer": parameters["customer"], "customer_email": parameters["customer_email"],
            "customer_details": nil, "invoice": nil, "livemode": false,
            "metadata": .object(parameters["metadata"].members ?? []),
            "mode": "subscription", "payment_intent": nil,
            "payment_method_collection": .string(parameters["payment_method_collection"].string ?? "always"),
            "payment_status": "unpaid", "status": "open", "subscription": nil,
            "ui_mode": "hosted_page", "url": .string(url),
        ]
    }

    /// - Parameter parameters: As ``StripeParameters/customer`` checked them.
    static func customer(id: String, parameters: JSON, now: UnixTime) -> JSON {
        [
            "id": .string(id), "object": "customer", "created": .integer(now.seconds),
            "description": parameters["description"], "email": parameters["email"], "livemode": false,
            "metadata": .object(parameters["metadata"].members ?? []), "name": parameters["name"],
        ]
    }

    /// What is left of a customer that was deleted.
    static func deletedCustomer(id: String) -> JSON {
        ["id": .string(id), "object": "customer", "deleted": true]
    }

    static func portalSession(id: String, url: String, parameters: JSON, now: UnixTime) -> JSON {
        [
            "id": .string(id), "object": "billing_portal.session", "configuration": "bpc_standin",
            "created": .integer(now.seconds), "customer": parameters["customer"], "flow": nil, "livemode": false,
            "locale": parameters["locale"], "return_url": parameters["return_url"], "url": .string(url),
        ]
    }

    /// - Parameter checkout: The parameters of the checkout session that sold it.
    static func subscription(
        id: String, customer: String, checkout: JSON, unitAmount: Int64, now: UnixTime
    ) -> JSON {
        let data = checkout["subscription_data"]
        let trialEnd = data["trial_period_days"].integer.map { now.seconds + $0 * secondsPerDay }
        let items = (checkout["line_items"].elements ?? []).map {
            item($0, subscription: id, unitAmount: unitAmount, now: now, trialEnd: trialEnd)
        }
        return [
            "id": .string(id), "object": "subscription",
            "billing_cycle_anchor": .integer(trialEnd ?? now.seconds), "billing_mode": ["type": "flexible"],
            "cancel_at": nil, "cancel_at_period_end": false, "canceled_at": nil,
            "cancellation_details": ["comment": nil, "feedback": nil, "reason": nil],
            "collection_method": "charge_automatically", "created": .integer(now.seconds), "currency": "usd",
            "customer": .string(customer), "description": data["description"], "ended_at": nil,
            "items": [
                "object": "list", "data": .array(items), "has_more": false, "total_count": .integer(items.count),
                "url": .string("/v1/subscription_items?subscription=\(id)"),
            ],
            "latest_invoice": nil, "livemode": false, "metadata": .object(data["metadata"].members ?? []),
            "pause_collection": nil, "start_date": .integer(now.seconds),
            "status": .string(trialEnd == nil ? "active" : "trialing"),
            "trial_end": trialEnd.map(JSON.integer) ?? .null,
            "trial_start": trialEnd == nil ? nil : .integer(now.seconds),
        ]
    }

    /// The billing period is the item's, not the subscription's, since the version named basil.
    static func item(
        _ line: JSON, subscription: String, unitAmount: Int64, now: UnixTime, trialEnd: Int64?
    ) -> JSON {
        [
            "id": .string(StripeObjectID.make("si", length: 14)), "object": "subscription_item",
            "created": .integer(now.seconds),
            "current_period_start": .integer(now.seconds),
            "current_period_end": .integer(trialEnd ?? now.seconds + secondsPerMonth),
            "metadata": [:], "quantity": line["quantity"], "subscription": .string(subscription),
            "price": price(line["price"], unitAmount: unitAmount),
        ]
    }

    static func price(_ id: JSON, unitAmount: Int64) -> JSON {
        [
            "id": id, "object": "price", "active": true, "currency": "usd", "livemode": false,
            "recurring": ["interval": "month", "interval_count": 1, "usage_type": "licensed"],
            "type": "recurring", "unit_amount": .integer(unitAmount),
        ]
    }

    /// - Parameters:
    ///   - reason: `subscription_create` or `subscription_cycle`.
    ///   - isPaid: Otherwise the first try to collect failed, and another follows in three days.
    static func invoice(
        subscription: JSON, reason: String, amount: Int64, isPaid: Bool, now: UnixTime
    ) -> JSON {
        [
            "id": .string(StripeObjectID.make("in")), "object": "invoice",
            "amount_due": .integer(amount), "amount_paid": .integer(isPaid ? amount : 0),
            "amount_remaining": .integer(isPaid ? 0 : amount),
            "attempt_count": 1, "attempted": true, "billing_reason": .string(reason),
            "collection_method": "charge_automatically", "created": .integer(now.seconds), "currency": "usd",
            "customer": subscription["customer"], "livemode": false, "metadata": [:],
            "next_payment_attempt": isPaid ? nil : .integer(now.seconds + 3 * secondsPerDay),
            "parent": [
                "type": "subscription_details", "quote_details": nil,
                "subscription_details": [
                    "subscription": subscription["id"], "metadata": subscription["metadata"],
                ],
            ],
            "status": .string(isPaid ? "paid" : "open"),
            "status_transitions": [
                "finalized_at": .integer(now.seconds), "paid_at": isPaid ? .integer(now.seconds) : nil,
            ],
            "total": .integer(amount),
        ]
    }

    /// What was paid for an invoice. Which one, only an invoice payment tells, since the version named basil.
    static func charge(invoice: JSON, now: UnixTime) -> JSON {
        [
            "id": .string(StripeObjectID.make("ch")), "object": "charge", "amount": invoice["amount_paid"],
            "amount_captured": invoice["amount_paid"], "amount_refunded": 0, "captured": true,
            "created": .integer(now.seconds), "currency": "usd", "customer": invoice["customer"], "disputed": false,
            "livemode": false, "metadata": [:], "paid": true,
            "payment_intent": .string(StripeObjectID.make("pi")), "refunded": false, "status": "succeeded",
        ]
    }

    static func invoicePayment(_ charge: JSON, invoice: JSON) -> JSON {
        [
            "id": .string(StripeObjectID.make("inpay")), "object": "invoice_payment", "amount_paid": charge["amount"],
            "amount_requested": charge["amount"], "created": charge["created"], "currency": "usd",
            "invoice": invoice["id"], "is_default": true, "livemode": false,
            "payment": ["type": "payment_intent", "payment_intent": charge["payment_intent"]], "status": "paid",
        ]
    }

    /// A customer's bank takes a payment back.
    ///
    /// - Parameter status: `needs_response`, then `won` or `lost`.
    static func dispute(id: String, of charge: JSON, status: String, now: UnixTime) -> JSON {
        [
            "id": .string(id), "object": "dispute", "amount": charge["amount"], "charge": charge["id"],
            "created": .integer(now.seconds), "currency": "usd", "is_charge_refundable": false, "livemode": false,
            "metadata": [:], "payment_intent": charge["payment_intent"], "reason": "fraudulent",
            "status": .string(status),
        ]
    }
}
