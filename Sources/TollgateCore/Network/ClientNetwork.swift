/// Where a caller comes from, as far as one caller can be told from another: the address in IPv4, the first 64 bits of
/// it in IPv6, where each caller has a whole network to choose addresses from.
package struct ClientNetwork: Sendable, Hashable, CustomStringConvertible {
    private let isIPv6: Bool
    private let bits: UInt64

    /// Of all whose connection has no address: they are counted together, and no limit is off for them.
    package static let unknown = ClientNetwork(isIPv6: true, bits: 0)

    package init(_ address: IPAddress) { self.init(isIPv6: !address.isIPv4, bits: address.networkBits) }

    /// - Parameter address: Such as `192.0.2.7` or `2001:db8::1`, as proxies write it; an IPv4 address in IPv6's clothes
    ///   (`::ffff:192.0.2.7`, RFC 4291, section 2.5.5.2) is the IPv4 address. Nil comes back when it is none.
    package init?(address: String) {
        guard let address = IPAddress(node: address) else { return nil }
        self.init(address)
    }

    private init(isIPv6: Bool, bits: UInt64) {
        self.isIPv6 = isIPv6
        self.bits = bits
    }

    /// Differs from network to network: IPv4 addresses stand where IPv6 has its reserved block `::/8`.
    package var number: UInt64 { bits }

    /// An address of the network, from which ``init(address:)`` makes the same one again.
    package var address: String {
        isIPv6
            ? [48, 32, 16, 0].map { String(bits >> $0 & 0xffff, radix: 16) }.joined(separator: ":") + "::"
            : [24, 16, 8, 0].map { String(bits >> $0 & 0xff) }.joined(separator: ".")
    }

    /// Such as `192.0.2.7` and `2001:db8:0:1::/64`.
    package var description: String { isIPv6 ? address + "/64" : address }
}
