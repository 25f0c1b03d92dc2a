/// IP addresses as text.
package enum NetworkAddress {
    /// The address in `text`, with or without a port, such as `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` and
    /// `[2001:db8::1]:80`. Nil when it is not valid.
    package static func address(in text: Substring) -> Substring? {
        if text.utf8.first == UInt8(ascii: "[") {
            guard let bracket = text.utf8.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let address = text[text.utf8.index(after: text.startIndex)..<bracket]
            let rest = text[text.utf8.index(after: bracket)...]
            return isIPv6(address) && (rest.isEmpty || isPort(rest)) ? address : nil
        }
        if isIPv6(text) { return text }
        let end = text.utf8.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
        guard isIPv4(text[..<end]), end == text.endIndex || isPort(text[end...]) else { return nil }
        return text[..<end]
    }

    /// Four numbers up to 255 with dots between them.
    package static func isIPv4(_ text: Substring) -> Bool {
        var count = 0
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            count += 1
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy(isDigit), let number = Int(part),
                number <= 255
            else { return false }
        }
        return count == 4
    }

    /// Up to eight groups of hexadecimal digits, one `::` for those left out, and possibly an IPv4 address at the end
    /// (RFC 4291, section 2.2). Without brackets and zone.
    package static func isIPv6(_ text: Substring) -> Bool {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard (1...2).contains(halves.count), let low = halves.last else { return false }
        let isShortened = halves.count == 2
        guard let lowGroups = groupCount(low, mayEndInIPv4: true),
            let highGroups = isShortened ? groupCount(halves[0], mayEndInIPv4: false) : 0
        else { return false }
        return isShortened ? highGroups + lowGroups < 8 : lowGroups == 8
    }

    /// How many groups of 16 bits stand in one half of an IPv6 address. Nil when anything else does.
    private static func groupCount(_ half: Substring, mayEndInIPv4: Bool) -> Int? {
        if half.isEmpty { return 0 }
        let parts = half.split(separator: ":", omittingEmptySubsequences: false)
        var count = parts.count
        for (position, part) in parts.enumerated() {
            if (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexadecimalDigit) { continue }
            guard mayEndInIPv4, position == parts.count - 1, isIPv4(part) else { return nil }
            count += 1
        }
        return count
    }

    private static func isPort(_ text: Substring) -> Bool {
        let digits = text.dropFirst()
        return text.first == ":" && (1...5).contains(digits.utf8.count) && digits.utf8.allSatisfy(isDigit)
            && Int(digits).map { $0 <= 65_535 } == true
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isHexadecimalDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
