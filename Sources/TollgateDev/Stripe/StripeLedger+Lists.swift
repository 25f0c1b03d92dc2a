import JSONValue
import TollgateCore

/// The lists of the API, page by page. Each query is as ``StripeParameters`` checked it.
extension StripeLedger {
    func subscriptions(_ query: JSON, path: String) throws -> JSON {
        try checkCustomer(query)
        return try subscriptions.page(query, path: path) { subscription in
            let status = subscription["status"]
            let isWanted =
                switch query["status"].string {
                case nil: status != "canceled"
                case "all": true
                case "ended": Self.hasEnded(subscription)
                case let name: status.string == name
                }
            guard isWanted, let price = query["price"].string else { return isWanted }
            return subscription["items"]["data"].elements?.contains { $0["price"]["id"].string == price } ?? false
        }
    }

    func checkouts(_ query: JSON, path: String, now: UnixTime) throws -> JSON {
        try checkCustomer(query)
        var page = try checkouts.page(query, path: path) { checkout in
            let isOfSubscription = query["subscription"] == .null || checkout["subscription"] == query["subscription"]
            guard isOfSubscription, query["status"] != .null else { return isOfSubscription }
            return Self.shown(checkout, now: now)["status"] == query["status"]
        }
        page["data"] = .array((page["data"].elements ?? []).map { Self.shown($0, now: now) })
        return page
    }

    /// Without those that were deleted.
    func customers(_ query: JSON, path: String) throws -> JSON {
        try customers.page(query, path: path) { customer in
            customer["deleted"].bool != true && (query["email"] == .null || customer["email"] == query["email"])
        }
    }

    func invoicePayments(_ query: JSON, path: String) throws -> JSON {
        try invoicePayments.page(query, path: path) { payment in
            (query["invoice"] == .null || payment["invoice"] == query["invoice"])
                && (query["payment"]["payment_intent"] == .null
                    || payment["payment"]["payment_intent"] == query["payment"]["payment_intent"])
        }
    }

    /// A customer that was deleted has still had what there was.
    private func checkCustomer(_ query: JSON) throws {
        guard let id = query["customer"].string, customers[id] == nil else { return }
        throw StandInStripeError.noSuch("customer", id, parameter: "customer")
    }
}
