import JSONValue

/// The ledger as a file has it, for what has to outlive the process: Redis remembers the customers that were made here.
extension StripeLedger {
    private static let tables: [(name: String, table: any WritableKeyPath<StripeLedger, StripeTable> & Sendable)] = [
        ("customers", \.customers), ("subscriptions", \.subscriptions), ("checkouts", \.checkouts),
        ("invoices", \.invoices), ("charges", \.charges), ("invoicePayments", \.invoicePayments),
    ]

    var json: JSON {
        let tables = Self.tables.map { JSON.Member(name: $0.name, value: .array(self[keyPath: $0.table].all)) }
        return .object(
            tables + [
                JSON.Member(name: "checkoutParameters", value: JSON(checkoutParameters)),
                JSON.Member(name: "lastCharges", value: JSON(lastCharges.mapValues(JSON.string))),
            ])
    }

    /// Takes up what ``json`` was.
    ///
    /// - Parameter users: Those who begin anew. What they have bought is left out.
    mutating func restore(_ json: JSON, without users: Set<String>) {
        func isKept(_ object: JSON) -> Bool { !users.contains(object["metadata"]["userId"].string ?? "") }
        for (name, table) in Self.tables {
            for object in json[name].elements ?? [] where isKept(object) { self[keyPath: table].keep(object) }
        }
        checkoutParameters = json["checkoutParameters"].membersByName ?? [:]
        lastCharges = (json["lastCharges"].membersByName ?? [:]).compactMapValues(\.string)
    }
}
