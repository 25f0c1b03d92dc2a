/// A `checkout.session`: somebody at the till.
package struct CheckoutObject: Sendable, Hashable {
    /// `cs_…`
    package let id: String

    /// `payment`, `setup` or `subscription`.
    package let mode: String?

    /// `paid`, `unpaid` or `no_payment_required`. Of slow ways to pay a completed checkout is `unpaid` at first.
    package let paymentStatus: String?

    /// What whoever made the session calls the user.
    package let clientReferenceID: String?

    /// `cus_…`
    package let customerID: String?

    /// `sub_…`, once there is one.
    package let subscriptionID: String?

    /// The session's own, which the subscription does not inherit.
    package let metadata: [String: String]

    init(_ object: JSON) throws(UnexpectedShape) {
        id = try object.required("id", \.text)
        mode = object["mode"].text
        paymentStatus = object["payment_status"].text
        clientReferenceID = object["client_reference_id"].text
        customerID = object["customer"].identifier
        subscriptionID = object["subscription"].identifier
        metadata = object["metadata"].texts
    }

    /// Nothing is owed any more: goods may be handed out.
    package var isPaid: Bool { paymentStatus == "paid" || paymentStatus == "no_payment_required" }

    /// It sells a subscription, not a single purchase.
    package var isForSubscription: Bool { mode == "subscription" }
}
