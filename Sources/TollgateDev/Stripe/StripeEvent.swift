import TollgateCore

/// Something that happened at Stripe, before it is a webhook.
struct StripeEvent {
    let type: String
    let object: JSONValue

    /// The old values of what changed, in events that end in `.updated`.
    var previousAttributes: JSONValue?

    /// The event as webhooks carry it.
    func json(id: String = Identifier.make("evt"), created: UnixTime) -> JSONValue {
        var data: JSONValue = ["object": object]
        if let previousAttributes { data["previous_attributes"] = previousAttributes }
        return [
            "id": .string(id), "object": "event", "api_version": .string(StripeStandIn.apiVersion),
            "created": .integer(created.seconds), "data": data, "livemode": false, "pending_webhooks": 1,
            "request": ["id": nil, "idempotency_key": nil], "type": .string(type),
        ]
    }
}
