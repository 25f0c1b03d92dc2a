import Libcrypto
package import TollgateCore

/// What a user is about to subscribe to.
package struct CheckoutRequest: Sendable, Hashable {
    /// The user who subscribes.
    package var userID: UserID

    /// The plan's name, which the webhooks bring back.
    package var tier: String

    /// `price_…` of the plan.
    package var priceID: String

    /// Where the browser goes after paying. `{CHECKOUT_SESSION_ID}` in it is filled in by Stripe.
    package var successURL: String

    /// Where the browser goes after giving up.
    package var cancelURL: String

    /// `cus_…` of the user's customer. Without it Stripe makes another one.
    package var customerID: String?

    /// A subscription of `userID` to `tier`.
    package init(
        userID: UserID, tier: String, priceID: String, successURL: String, cancelURL: String, customerID: String? = nil
    ) {
        self.userID = userID
        self.tier = tier
        self.priceID = priceID
        self.successURL = successURL
        self.cancelURL = cancelURL
        self.customerID = customerID
    }

    /// A key under which the same request, made twice within some minutes, makes one page.
    ///
    /// It covers all that is sent, for Stripe refuses a key that comes back with another form. It does not last
    /// longer, for Stripe gives the first answer again for a day, be it a failure.
    ///
    /// - Parameter newest: The customer's last session so far. Once that one has been paid, or was ended, another is to be
    ///   made, be it within the same minutes.
    package func idempotencyKey(at now: UnixTime, after newest: String? = nil) -> String {
        let words = form.encoded + " " + (newest ?? "")
        return "checkout-\(now.seconds / Self.idempotencySeconds)-\(SHA256.digest(words).hex)"
    }

    static let idempotencySeconds: Int64 = 300

    /// The metadata stands there twice: a subscription does not inherit its session's, and without it a cancellation
    /// would carry no user. It names the price as well, for it stands in for no other.
    var form: FormValue {
        let metadata: FormValue = [
            "userId": .text(userID.value), "tier": .text(tier), "priceId": .text(priceID),
        ]
        return [
            "mode": "subscription",
            "line_items": [["price": .text(priceID), "quantity": 1]],
            "success_url": .text(successURL),
            "cancel_url": .text(cancelURL),
            "client_reference_id": .text(userID.value),
            "customer": FormValue(customerID),
            "metadata": metadata,
            "subscription_data": ["metadata": metadata],
        ]
    }
}

/// A page of Stripe's on which a user pays.
package struct CheckoutSession: Sendable, Hashable {
    /// `cs_…`
    package let id: String

    /// Where to send the browser, with 303.
    package let url: String
}
