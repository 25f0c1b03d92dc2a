/// The host that a request is for, from the Host field or an absolute target (RFC 9110, section 7.2), in a normal form:
/// lower case, without the port and without a dot at the end.
package struct RequestHost: Sendable, Hashable {
    /// An IPv6 address keeps its brackets.
    package let name: String

    /// A port was given.
    let hasPort: Bool

    /// Fails when the text is not a host of letters, digits, `-`, `_` and `.`, or an IPv6 address in brackets, with
    /// nothing but a port after it.
    ///
    /// Text that is in the normal form already is kept as it is, without an allocation.
    package init?(_ text: String) {
        guard let shape = text.utf8.first == UInt8(ascii: "[") ? Self.bracketed(text) : Self.named(text) else {
            return nil
        }
        hasPort = shape.end != text.endIndex
        if hasPort, !Self.isPort(text.utf8[text.utf8.index(after: shape.end)...]) { return nil }
        let name = text[..<shape.end]
        guard name.utf8.count <= Self.maximumLength else { return nil }
        let hasFinalDot = name.utf8.last == UInt8(ascii: ".")
        let isNormal = !hasPort && !hasFinalDot && !shape.hasCapitals
        self.name = isNormal ? text : (hasFinalDot ? name.dropLast() : name).lowercased()
        if self.name.isEmpty { return nil }
    }

    /// RFC 1035, section 2.3.4, in its textual form.
    private static let maximumLength = 254

    /// An IP address rather than a name.
    package var isAddress: Bool {
        name.utf8.first == UInt8(ascii: "[")
            || name.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// Where the name ends.
    private typealias Shape = (end: String.Index, hasCapitals: Bool)

    private static func named(_ text: String) -> Shape? {
        var hasCapitals = false
        var previous = UInt8(ascii: ".")
        for index in text.utf8.indices {
            let byte = text.utf8[index]
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                break
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): hasCapitals = true
            // An empty label.
            case UInt8(ascii: "."): if previous == byte { return nil }
            case UInt8(ascii: ":"): return index == text.startIndex ? nil : (index, hasCapitals)
            default: return nil
            }
            previous = byte
        }
        return text.isEmpty ? nil : (text.endIndex, hasCapitals)
    }

    private static func bracketed(_ text: String) -> Shape? {
        guard let bracket = text.utf8.firstIndex(of: UInt8(ascii: "]")) else { return nil }
        let address = text[text.utf8.index(after: text.startIndex)..<bracket]
        guard NetworkAddress.isIPv6(address) else { return nil }
        let end = text.utf8.index(after: bracket)
        guard end == text.endIndex || text.utf8[end] == UInt8(ascii: ":") else { return nil }
        return (end, address.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0) })
    }

    /// Digits, or nothing, which RFC 3986 allows after the colon.
    private static func isPort(_ digits: Substring.UTF8View) -> Bool {
        var port = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return false }
            port = port * 10 + Int(digit - UInt8(ascii: "0"))
            if port > 65_535 { return false }
        }
        return true
    }
}
