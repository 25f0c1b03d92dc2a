import JSONValue
import TollgateCore

/// Something that happened at Stripe, before it is a webhook.
struct StandInStripeEvent {
    let type: String
    let object: JSON

    /// The old values of what changed, in events that end in `.updated`.
    var previousAttributes: JSON?

    /// The event as webhooks carry it.
    func json(id: String = StripeObjectID.make("evt"), created: UnixTime) -> JSON {
        var data: JSON = ["object": object]
        if let previousAttributes { data["previous_attributes"] = previousAttributes }
        return [
            "id": .string(id), "object": "event", "api_version": .string(StripeStandIn.apiVersion),
            "created": .integer(created.seconds), "data": data, "livemode": false, "pending_webhooks": 1,
            "request": ["id": nil, "idempotency_key": nil], "type": .string(type),
        ]
    }
}
