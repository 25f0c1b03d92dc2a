import TollgateCore

/// Where a caller comes from, as far as one caller can be told from another: the address in IPv4, the first 64 bits of
/// it in IPv6, of which everybody has a whole network to choose addresses from.
package struct ClientNetwork: Sendable, Hashable, CustomStringConvertible {
    private let isIPv6: Bool
    private let bits: UInt64

    /// - Parameter address: Such as `192.0.2.7` or `2001:db8::1`; an IPv4 address in IPv6's clothes
    ///   (`::ffff:192.0.2.7`, RFC 4291, section 2.5.5.2) is the IPv4 address. Nil comes back when it is none.
    package init?(address: String) {
        // A zone names an interface of this machine.
        let text = address.prefix { $0 != "%" }
        if NetworkAddress.isIPv4(text) {
            self.init(isIPv6: false, groups: Self.groups(ofIPv4: text)[...])
        } else if NetworkAddress.isIPv6(text) {
            let groups = Self.groups(ofIPv6: text)
            if groups.prefix(6) == [0, 0, 0, 0, 0, 0xffff] {
                self.init(isIPv6: false, groups: groups.suffix(2))
            } else {
                self.init(isIPv6: true, groups: groups.prefix(4))
            }
        } else {
            return nil
        }
    }

    private init(isIPv6: Bool, groups: ArraySlice<UInt64>) {
        self.isIPv6 = isIPv6
        bits = groups.reduce(0) { $0 << 16 | $1 }
    }

    /// Differs from network to network: IPv4 addresses stand where IPv6 has its reserved block `::/8`.
    var number: UInt64 { bits }

    /// Such as `192.0.2.7` and `2001:db8:0:1::/64`.
    package var description: String {
        isIPv6
            ? [48, 32, 16, 0].map { String(bits >> $0 & 0xffff, radix: 16) }.joined(separator: ":") + "::/64"
            : [24, 16, 8, 0].map { String(bits >> $0 & 0xff) }.joined(separator: ".")
    }

    /// 16 bits each.
    private static func groups(ofIPv4 text: Substring) -> [UInt64] {
        let bytes = text.split(separator: ".").compactMap { UInt64($0) }
        return stride(from: 0, to: bytes.count, by: 2).map { bytes[$0] << 8 | bytes[$0 + 1] }
    }

    private static func groups(ofIPv6 text: Substring) -> [UInt64] {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false).map { half in
            half.split(separator: ":").flatMap { part in
                part.contains(".") ? groups(ofIPv4: part) : [UInt64(part, radix: 16) ?? 0]
            }
        }
        guard halves.count == 2 else { return halves.flatMap(\.self) }
        let leftOut = [UInt64](repeating: 0, count: max(0, 8 - halves[0].count - halves[1].count))
        return halves[0] + leftOut + halves[1]
    }
}
