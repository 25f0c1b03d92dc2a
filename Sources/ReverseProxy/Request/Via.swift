package import HTTPWire

/// `Via`: which proxies a message has passed (RFC 9110, section 7.6.3).
package enum Via {
    /// Tollgates that a request may have passed. One more, and it goes round in a circle.
    package static let maximumPassages = 5

    private static let pseudonym = "tollgate"

    /// What we add to a message.
    static func entry(isHTTP10: Bool) -> String { isHTTP10 ? "1.0 tollgate" : "1.1 tollgate" }

    /// Whether a request has passed too many Tollgates to be on its way to anything else.
    package static func showsLoop(_ fields: FieldSection) -> Bool {
        guard fields.contains(.via) else { return false }
        let passages = fields.members(.via).lazy.filter { entry in
            let words = entry.split(separator: " ", maxSplits: 2)
            return words.count > 1 && words[1] == pseudonym
        }
        return passages.count >= maximumPassages
    }
}
