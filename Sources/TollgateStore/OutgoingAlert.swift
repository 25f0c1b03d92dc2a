import JSONValue
import Libcrypto
package import TollgateCore

/// An alert as it stands in the outbox: what is sent, and how far that has come.
package struct OutgoingAlert: Sendable, Hashable {
    /// The same for the same ``Alert/subject``: what receivers know a repeat by.
    package let id: String
    package let kind: Alert.Kind
    package let user: UserID

    /// What is sent, in JSON. Empty once it is delivered.
    package private(set) var body: String

    package var delivery: AlertDelivery

    /// An alert that is to be sent.
    package init(_ alert: Alert, at time: UnixTime) {
        id = alert.messageID
        kind = alert.kind
        user = alert.user
        let message: JSON = [
            "type": .string(alert.kind.rawValue), "timestamp": .string(time.iso8601), "data": alert.data,
        ]
        body = message.text
        delivery = AlertDelivery(since: time)
    }

    /// Nobody needs the message any more.
    package mutating func dropBody() { body = "" }

    // MARK: The entry

    init?(id: String, entry text: String) {
        guard let json = JSON(parsing: text.utf8), let kind = json["type"].string.flatMap({ Alert.Kind(rawValue: $0) }),
            let user = json["user"].string.flatMap({ UserID($0) }),
            let since = json["since"].string.flatMap({ UnixTime(iso8601: $0) })
        else { return nil }
        self.id = id
        self.kind = kind
        self.user = user
        body = json["body"].string ?? ""
        let attempts = (json["attempts"].integer ?? 0).clamped(to: 0...1_000_000)
        delivery = AlertDelivery(since: since, attempts: Int(attempts), failure: json["failure"].string)
    }

    var entry: String {
        var json: JSON = [
            "type": .string(kind.rawValue), "user": .string(user.value), "since": .string(delivery.since.iso8601),
            "attempts": .integer(delivery.attempts),
        ]
        if let failure = delivery.failure { json["failure"] = .string(failure) }
        if !body.isEmpty { json["body"] = .string(body) }
        return json.text
    }
}

extension Alert {
    /// `msg_` and 32 hexadecimal digits. It has no dot in it, which separates it from what follows where it is signed.
    package var messageID: String { "msg_" + SHA256.digest(subject).hex.prefix(32) }

    /// What a receiver is told.
    fileprivate var data: JSON {
        switch self {
        case .quotaThreshold(let alert):
            [
                "user": .string(alert.user.value), "plan": .string(alert.plan), "period": .string(alert.period.name),
                "periodEnd": .string(alert.period.end.iso8601), "percent": .integer(alert.percent),
                "used": .integer(alert.used), "limit": .integer(alert.limit),
            ]
        case .paymentFailed(let alert):
            [
                "user": .string(alert.user.value), "customer": .text(alert.customerID),
                "subscription": .string(alert.subscriptionID), "invoice": .string(alert.invoiceID),
                "attempt": .integer(alert.attempt),
            ]
        case .keyExpiring(let alert):
            [
                "user": .string(alert.user.value), "key": .string(alert.keyID.value), "name": .string(alert.name),
                "expiresAt": .string(alert.expiresAt.iso8601),
            ]
        }
    }
}
