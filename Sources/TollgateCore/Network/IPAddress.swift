/// An IP address as a number. An IPv4 address that is written as an IPv6 one, as sockets for both do, is the IPv4
/// address (RFC 4291, section 2.5.5.2).
package struct IPAddress: Sendable, Hashable {
    // In two halves: a request is made in ordinary memory then, where a number of 128 bits asks for aligned memory.
    private let high: UInt64
    private let low: UInt64
    package let isIPv4: Bool

    /// 32 bits, or 128.
    var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }

    /// How many bits addresses of this kind have.
    var width: Int { isIPv4 ? 32 : 128 }

    /// `::`, which no host sends from (RFC 4291, section 2.5.2).
    static let unspecified = IPAddress(bits: 0, isIPv4: false)

    private init(bits: UInt128, isIPv4: Bool) {
        high = UInt64(truncatingIfNeeded: bits >> 64)
        low = UInt64(truncatingIfNeeded: bits)
        self.isIPv4 = isIPv4
    }

    /// Reads `192.0.2.1` or `2001:db8::1`. Fails for anything else, also for a port, brackets, a zone, and for an IPv4
    /// number with a zero before it, which some read as octal.
    package init?(_ text: String) { self.init(text[...]) }

    /// Reads an address as proxies write it (RFC 7239, section 6): with or without a port, brackets, a zone, quotes and
    /// blanks around it. Fails for `unknown`, for a name, and for anything else.
    package init?(node text: some StringProtocol) {
        var text = text[...].drop { $0 == " " || $0 == "\t" || $0 == "\"" }
        while let last = text.last, last == " " || last == "\t" || last == "\"" { text.removeLast() }
        var plain = String(text)
        // A zone names an interface of the machine that wrote it.
        if let zone = plain.firstIndex(of: "%") {
            plain.removeSubrange(zone..<(plain[zone...].firstIndex(of: "]") ?? plain.endIndex))
        }
        guard let address = NetworkAddress.address(in: plain[...]) else { return nil }
        self.init(address)
    }

    init?(_ text: Substring) {
        if let bits = Self.ipv4(text) {
            self.init(bits: bits, isIPv4: true)
        } else if let bits = Self.ipv6(text) {
            let isMapped = bits >> 32 == 0xFFFF
            self.init(bits: isMapped ? bits & 0xFFFF_FFFF : bits, isIPv4: isMapped)
        } else {
            return nil
        }
    }

    /// The last address of the network that this is the first one of.
    func last(in mask: UInt128) -> IPAddress {
        IPAddress(bits: bits | ~mask & UInt128.max >> (128 - width), isIPv4: isIPv4)
    }

    /// The address behind this one. Nil behind the last one.
    var next: IPAddress? {
        bits == UInt128.max >> (128 - width) ? nil : IPAddress(bits: bits + 1, isIPv4: isIPv4)
    }

    private static func ipv4(_ text: Substring) -> UInt128? {
        guard NetworkAddress.isIPv4(text) else { return nil }
        var bits: UInt128 = 0
        for part in text.split(separator: ".") {
            guard part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0"), let number = UInt128(part) else {
                return nil
            }
            bits = bits << 8 | number
        }
        return bits
    }

    private static func ipv6(_ text: Substring) -> UInt128? {
        guard NetworkAddress.isIPv6(text) else { return nil }
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard let low = halves.last.flatMap(groups) else { return nil }
        guard halves.count == 2 else { return low.bits }
        guard let high = groups(halves[0]) else { return nil }
        // All bits are shifted out when nothing stands before the `::`.
        return high.bits << (128 - 16 * high.count) | low.bits
    }

    /// The bits of one half of an IPv6 address.
    private static func groups(_ half: Substring) -> (bits: UInt128, count: Int)? {
        var bits: UInt128 = 0
        var count = 0
        for part in half.split(separator: ":") {
            if part.utf8.contains(UInt8(ascii: ".")) {
                guard let address = ipv4(part) else { return nil }
                (bits, count) = (bits << 32 | address, count + 2)
            } else {
                guard let group = UInt128(part, radix: 16) else { return nil }
                (bits, count) = (bits << 16 | group, count + 1)
            }
        }
        return (bits, count)
    }
}

extension IPAddress: CustomStringConvertible {
    /// Such as `192.0.2.1` and `2001:db8::1`: each address in one form (RFC 5952, section 4).
    package var description: String {
        guard !isIPv4 else { return [24, 16, 8, 0].map { String(bits >> $0 & 0xFF) }.joined(separator: ".") }
        let groups = stride(from: 112, through: 0, by: -16).map { bits >> UInt128($0) & 0xFFFF }
        let zeros = Self.longestRunOfZeros(groups)
        func text(_ groups: ArraySlice<UInt128>) -> String {
            groups.map { String($0, radix: 16) }.joined(separator: ":")
        }
        return zeros.count < 2
            ? text(groups[...]) : text(groups[..<zeros.lowerBound]) + "::" + text(groups[zeros.upperBound...])
    }

    /// The first of those that are as long as any.
    private static func longestRunOfZeros(_ groups: [UInt128]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 { start = index + 1 }
            if index + 1 - start > longest.count { longest = start..<index + 1 }
        }
        return longest
    }

    /// Nil of an IPv6 address.
    package var ipv4Bits: UInt32? { isIPv4 ? UInt32(truncatingIfNeeded: bits) : nil }

    /// All bits as hexadecimal digits: 8 of an IPv4 address, which lie in the string itself without an allocation, and 32
    /// of an IPv6 one. As texts, addresses of one kind are in their order.
    package var digits: String {
        let digits = isIPv4 ? String(UInt32(truncatingIfNeeded: bits), radix: 16) : String(bits, radix: 16)
        return String(repeating: "0", count: width / 4 - digits.utf8.count) + digits
    }

    /// Reads ``digits``, lower-case ones.
    init?(digits: Substring) {
        let isIPv4 = digits.utf8.count == 8
        guard isIPv4 || digits.utf8.count == 32, digits.utf8.allSatisfy(\.isLowercaseHexadecimalDigit),
            let bits = UInt128(digits, radix: 16)
        else { return nil }
        self.init(bits: bits, isIPv4: isIPv4)
    }

    /// The number of the network that the address is in: all of an IPv4 address, the first 64 bits of an IPv6 one, which
    /// every subscriber of a provider gets at the least.
    var networkBits: UInt64 { UInt64(truncatingIfNeeded: isIPv4 ? bits : bits >> 64) }
}
