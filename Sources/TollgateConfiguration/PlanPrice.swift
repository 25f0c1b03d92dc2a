/// What a plan costs a month, as customers are told. What they are charged is Stripe's price.
package struct PlanPrice: Sendable, Hashable {
    /// A decimal number, such as `29` or `29.50`.
    package let amount: String

    /// Three capital letters (ISO 4217).
    package let currency: String

    /// Reads `29 USD`. Nil for another form.
    package init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2, Self.isAmount(words[0]), words[1].utf8.count == 3,
            words[1].utf8.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
        else { return nil }
        amount = String(words[0])
        currency = String(words[1])
    }

    private init(amount: String, currency: String) {
        self.amount = amount
        self.currency = currency
    }

    /// Of the plans that hold when `tollgate.yaml` has none.
    package static let standard = [
        "free": PlanPrice(amount: "0", currency: "USD"), "paid": PlanPrice(amount: "29", currency: "USD"),
    ]

    private static func isAmount(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), (1...9).contains(parts[0].utf8.count),
            parts.count == 1 || (1...3).contains(parts[1].utf8.count)
        else { return false }
        return parts.allSatisfy { $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }
    }
}
