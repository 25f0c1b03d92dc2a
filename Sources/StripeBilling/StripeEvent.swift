import JSONValue
package import TollgateCore

/// One of Stripe's events, as a webhook brings it, in whatever version of the API it was made: an event keeps the
/// shape of its day.
package struct StripeEvent: Sendable, Hashable {
    /// `evt_…`: what tells a repeated delivery from a new event.
    package let id: String

    /// Such as `invoice.paid`. New types appear at any time.
    package let type: String

    /// When it happened. Whole seconds, so two events of one subscription can tie.
    package let created: UnixTime

    /// Whether it is about money. Must agree with the mode of our key.
    package let isLive: Bool

    /// `acct_…` of the connected account that it is about. Nil for an event of the account itself.
    package let connectedAccount: String?

    /// What it is about.
    package let object: StripeObject

    /// Reads the body of a webhook whose signature is good.
    package init(parsing body: [UInt8]) throws(StripeEventProblem) {
        guard let event = JSON(parsingUTF8: body) else { throw .notJSON }
        guard event["object"].string != Self.thinObject else { throw .thin }
        do {
            try self.init(event)
        } catch {
            throw .notAnEvent(member: error.member)
        }
    }

    init(_ event: JSON) throws(UnexpectedShape) {
        id = try event.required("id", \.nonEmptyString)
        type = try event.required("type", \.nonEmptyString)
        created = try event.required("created", \.moment)
        isLive = try event.required("livemode", \.bool)
        connectedAccount = event["account"].identifier
        object = try StripeObject(event["data"]["object"], ofEventType: type)
    }

    /// What the events of version 2 of the API call themselves: they name what they are about, and do not tell how it is.
    private static let thinObject = "v2.core.event"
}

/// What an event is about, as far as billing is concerned.
package enum StripeObject: Sendable, Hashable {
    /// Of `checkout.session.*`.
    case checkout(Checkout)

    /// Of `customer.subscription.*`.
    case subscription(SubscriptionFacts)

    /// Of `invoice.*`.
    case invoice(SubscriptionFacts, SubscriptionChange.InvoiceCollection?)

    /// Of `customer.deleted`: whose it was.
    case customer(SubscriptionFacts)

    /// Of `charge.refunded`, or of `charge.dispute.closed`: the payment, and whether nothing of it is left.
    case payment(SubscriptionFacts, isReturned: Bool)

    /// Anything else, unread.
    case other

    /// A `checkout.session`.
    package struct Checkout: Sendable, Hashable {
        /// Nothing is owed any more: goods may be handed out. Of slow ways to pay, something is at first owed when the
        /// checkout is completed.
        let isPaid: Bool

        /// It sells a subscription, not a single purchase.
        let isForSubscription: Bool

        /// What is told of the subscription that it sells.
        package let facts: SubscriptionFacts

        init(_ object: JSON) throws(UnexpectedShape) {
            _ = try object.required("id", \.nonEmptyString)
            isPaid = ["paid", "no_payment_required"].contains(object["payment_status"].nonEmptyString)
            isForSubscription = object["mode"].string == "subscription"
            facts = SubscriptionFacts(checkout: object)
        }
    }

    /// The event's type says what its object is.
    init(_ object: JSON, ofEventType type: String) throws(UnexpectedShape) {
        if type.hasPrefix("checkout.session.") {
            self = .checkout(try Checkout(object))
        } else if type.hasPrefix("customer.subscription.") {
            self = .subscription(try SubscriptionFacts(subscription: object))
        } else if type.hasPrefix("invoice.") {
            let id = object["id"].nonEmptyString
            self = .invoice(
                SubscriptionFacts(invoice: object),
                id.map {
                    .init(invoiceID: $0, attempt: Int((object["attempt_count"].integer ?? 1).clamped(to: 1...1000)))
                })
        } else if type == "customer.deleted" {
            self = .customer(SubscriptionFacts(customer: object))
        } else if type == "charge.refunded" {
            self = .payment(SubscriptionFacts(payment: object), isReturned: object["refunded"].bool == true)
        } else if type == "charge.dispute.closed" {
            self = .payment(SubscriptionFacts(payment: object), isReturned: object["status"].string == "lost")
        } else {
            self = .other
        }
    }
}

/// Why the body of a webhook is no event.
package enum StripeEventProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// Not JSON in UTF-8.
    case notJSON

    /// JSON, but a member of every event is absent or of another type.
    case notAnEvent(member: String)

    /// Of version 2 of the API, without what it is about.
    case thin

    /// One sentence for the sender.
    package var description: String {
        switch self {
        case .notJSON: "The body is not JSON."
        case .notAnEvent(let member): "The body is not an event of Stripe's: '\(member)' is missing or malformed."
        case .thin:
            "This is a thin event (v2), and a snapshot is needed. Make another endpoint in Stripe's dashboard, with the "
                + "payload style 'Snapshot' and the events of your own account."
        }
    }
}
