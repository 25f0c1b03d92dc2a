/// An `invoice`, of which only matters whose it is: what was paid for is in the subscription.
package struct InvoiceObject: Sendable, Hashable {
    /// `cus_…`
    package let customerID: String?

    /// `sub_…`. Nil for an invoice of a single purchase.
    package let subscriptionID: String?

    /// The subscription's metadata as it was when the invoice was made.
    package let subscriptionMetadata: [String: String]

    /// `price_…` of each of its lines, in their order.
    package let priceIDs: [String]

    /// Since version 2025-03-31.basil the subscription stands under `parent`, before that in the invoice itself.
    init(_ object: JSON) {
        let details = object["parent"]["subscription_details"]
        customerID = object["customer"].identifier
        subscriptionID = details["subscription"].identifier ?? object["subscription"].identifier
        let metadata = details["metadata"].texts
        subscriptionMetadata = metadata.isEmpty ? object["subscription_details"]["metadata"].texts : metadata
        priceIDs = object["lines"]["data"].elements.compactMap {
            $0["pricing"]["price_details"]["price"].identifier ?? $0["price"].identifier ?? $0["plan"].identifier
        }
    }
}
