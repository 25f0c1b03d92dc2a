import StripeBilling
import TollgateCore

let now: Int64 = 1_700_000_000

/// The body of an event with this `data.object`.
func eventBody(_ type: String, _ object: String) -> [UInt8] {
    Array(
        """
        {"id":"evt_1","object":"event","api_version":"2026-10-28.endive","created":\(now),"livemode":false,\
        "pending_webhooks":1,"request":{"id":null,"idempotency_key":null},"type":"\(type)",\
        "data":{"object":\(object),"previous_attributes":{"status":"x"}}}
        """.utf8)
}

/// What the event means, in its object's shape.
func meaning(_ type: String, _ object: String) throws -> StripeEventEffect {
    try StripeEvent(parsing: eventBody(type, object)).meaning
}

/// The change that the event means, if it means one.
func change(_ type: String, _ object: String) throws -> SubscriptionChange? {
    guard case .subscriptionChanged(let change) = try meaning(type, object) else { return nil }
    return change
}

/// A session of Checkout with other members in place of some.
func checkout(_ members: [String: String?] = [:]) -> String {
    object(
        [
            "id": #""cs_test_1""#, "object": #""checkout.session""#, "mode": #""subscription""#,
            "payment_status": #""paid""#, "status": #""complete""#, "client_reference_id": #""user_1""#,
            "customer": #""cus_1""#, "subscription": #""sub_1""#, "metadata": #"{"userId":"user_1","tier":"paid"}"#,
            "customer_details": #"{"email":"a@example.com"}"#, "amount_total": "2900", "livemode": "false",
        ], members)
}

/// A subscription in the shape of versions from 2025-03-31.basil on.
func subscription(_ members: [String: String?] = [:]) -> String {
    object(
        [
            "id": #""sub_1""#, "object": #""subscription""#, "status": #""active""#, "customer": #""cus_1""#,
            "metadata": #"{"userId":"user_1","tier":"paid"}"#, "cancel_at_period_end": "false", "cancel_at": "null",
            "items": """
            {"object":"list","data":[{"id":"si_1","price":{"id":"price_1","unit_amount":2900},"quantity":1,\
            "current_period_start":\(now),"current_period_end":\(now + 2_592_000)}]}
            """,
        ], members)
}

/// A subscription in the shape of earlier versions, with what was expandable expanded.
func earlySubscription(_ members: [String: String?] = [:]) -> String {
    subscription(
        [
            "customer": #"{"id":"cus_1","object":"customer"}"#, "current_period_start": "\(now)",
            "current_period_end": "\(now + 2_592_000)", "plan": #"{"id":"price_1"}"#,
            "items": #"{"object":"list","data":[{"id":"si_1","plan":{"id":"price_1"},"quantity":1}]}"#,
        ].merging(members) { $1 })
}

/// An invoice in the shape of versions from 2025-03-31.basil on.
func invoice(_ members: [String: String?] = [:]) -> String {
    object(
        [
            "id": #""in_1""#, "object": #""invoice""#, "customer": #""cus_1""#, "status": #""paid""#,
            "billing_reason": #""subscription_cycle""#,
            "parent": """
            {"type":"subscription_details","quote_details":null,"subscription_details":\
            {"subscription":"sub_1","metadata":{"userId":"user_1","tier":"paid"}}}
            """,
            "lines": #"{"data":[{"pricing":{"type":"price_details","price_details":{"price":"price_1"}}}]}"#,
        ], members)
}

/// An invoice in the shape of earlier versions.
func earlyInvoice(_ members: [String: String?] = [:]) -> String {
    invoice(
        [
            "parent": nil, "subscription": #""sub_1""#,
            "subscription_details": #"{"metadata":{"userId":"user_1","tier":"paid"}}"#,
            "lines": #"{"data":[{"price":{"id":"price_1"}}]}"#,
        ].merging(members) { $1 })
}

/// An object with other members in place of some; nil leaves one out.
private func object(_ members: [String: String], _ others: [String: String?]) -> String {
    let merged = members.mapValues { $0 as String? }.merging(others) { $1 }
    return "{" + merged.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }.joined(separator: ",") + "}"
}
