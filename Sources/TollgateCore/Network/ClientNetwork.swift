/// Where a caller comes from: the address, compared as far as one caller can be told from another. Two are equal whose
/// address in IPv4 is the same, or the first 64 bits of it in IPv6, where each site has a whole network to choose addresses
/// from.
package struct ClientNetwork: Sendable, Hashable, CustomStringConvertible {
    private let whole: IPAddress

    /// Of all whose connection has no address: they are counted together, and no limit is off for them. It is the
    /// address that no host sends from (RFC 4291, section 2.5.2).
    package static let unknown = ClientNetwork(.unspecified)

    package init(_ address: IPAddress) { whole = address }

    /// - Parameter address: Such as `192.0.2.7` or `2001:db8::1`, as proxies write it; an IPv4-mapped IPv6 address
    ///   (`::ffff:192.0.2.7`, RFC 4291, section 2.5.5.2) is the IPv4 address. Nil comes back when it is not valid.
    package init?(address: String) {
        guard let address = IPAddress(node: address) else { return nil }
        self.init(address)
    }

    /// All of the address. Nil when it is not known.
    package var client: IPAddress? { whole == .unspecified ? nil : whole }

    /// Differs from network to network: IPv4 addresses stand where IPv6 has its reserved block `::/8`.
    package var number: UInt64 { whole.networkBits }

    package static func == (left: ClientNetwork, right: ClientNetwork) -> Bool {
        left.number == right.number && left.whole.isIPv4 == right.whole.isIPv4
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(number)
        hasher.combine(whole.isIPv4)
    }

    /// The whole address, from which ``init(address:)`` makes the same one again.
    package var address: String { whole.description }

    /// Such as `192.0.2.7` and `2001:db8:0:1::/64`.
    package var description: String {
        guard !whole.isIPv4 else { return address }
        return [48, 32, 16, 0].map { String(number >> $0 & 0xffff, radix: 16) }.joined(separator: ":") + "::/64"
    }
}
