/// Some IP networks, such as those of the proxies that are trusted.
package struct NetworkList: Sendable, Hashable {
    package static let maximumCount = 256

    /// No network at all.
    package static let empty = NetworkList(networks: [])

    /// Networks whose addresses are not those of servers on the internet: of this machine and of private networks, those
    /// of clouds' metadata among them, and what is reserved (IANA's special-purpose registries). Through 64:ff9b::/96 and
    /// 2002::/16 an IPv4 address of them can be reached.
    package static let nonPublic =
        NetworkList([
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/4", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001:db8::/32",
            "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        ]) ?? .empty

    /// Addresses of this machine itself: what is sent there leaves it on no wire.
    package static let loopback = NetworkList(["127.0.0.0/8", "::1"]) ?? .empty

    fileprivate struct Network: Sendable, Hashable {
        /// The first of its addresses.
        let address: IPAddress
        let mask: UInt128

        var text: String {
            mask.nonzeroBitCount == address.width ? "\(address)" : "\(address)/\(mask.nonzeroBitCount)"
        }
        var range: String { "\(address.digits)-\(address.last(in: mask).digits)" }
    }

    private let networks: [Network]

    package var isEmpty: Bool { networks.isEmpty }
    package var count: Int { networks.count }

    /// Each network in its one form, from which ``init(_:)`` reads the same list again: the address as
    /// ``IPAddress/description`` has it, and the length of a network of more than one (`192.0.2.0/24`).
    package var texts: [String] { networks.map(\.text) }

    /// Each network as its first and its last address (`0a000000-0affffff`, ``IPAddress/digits``): for a store that can
    /// compare texts, and no bits.
    package var ranges: [String] { networks.map(\.range) }

    private init(networks: [Network]) { self.networks = networks }

    /// Reads addresses (`192.0.2.1`, `2001:db8::1`) and networks (`10.0.0.0/8`, `2001:db8::/32`). Fails when one of them
    /// is neither, when an address has bits that its network's length leaves out, and for more than ``maximumCount``.
    package init?(_ texts: [String]) {
        let networks = texts.compactMap { Network($0) }
        guard networks.count == texts.count, networks.count <= Self.maximumCount else { return nil }
        self.init(networks: networks)
    }

    /// Reads ``ranges``, and any other from one address to a later one: as the networks that it consists of. Fails when
    /// one of them has another form, and for more than ``maximumCount``.
    package init?(ranges: [String]) {
        guard ranges.count <= Self.maximumCount else { return nil }
        let networks = ranges.map(Network.networks(ofRange:))
        guard networks.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.init(networks: networks.flatMap(\.self))
    }

    /// Whether one of the networks has the address in it. False for a text that is no address.
    package func contains(_ address: String) -> Bool {
        guard !networks.isEmpty, let address = IPAddress(address) else { return false }
        return contains(address)
    }

    /// Whether one of the networks has the address in it. An IPv4 address is in IPv4 networks only.
    package func contains(_ address: IPAddress) -> Bool {
        networks.contains { $0.address.isIPv4 == address.isIPv4 && $0.address.bits == address.bits & $0.mask }
    }
}

extension NetworkList.Network {
    fileprivate init?(_ text: String) {
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        guard let address = IPAddress(text[..<slash]) else { return nil }
        var length = address.width
        if slash != text.endIndex {
            let digits = text[text.index(after: slash)...]
            // A mapped IPv4 address has the length of an IPv6 one written behind it.
            let leftOut = address.isIPv4 && text[..<slash].contains(":") ? 96 : 0
            guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(digits), (0...address.width).contains(number - leftOut)
            else { return nil }
            length = number - leftOut
        }
        self.init(address, length: length)
    }

    /// None for what is no range. At most two of each length.
    fileprivate static func networks(ofRange range: String) -> [Self] {
        let ends = range.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, var first = IPAddress(digits: ends[0]), let last = IPAddress(digits: ends[1]),
            first.isIPv4 == last.isIPv4, first.bits <= last.bits
        else { return [] }
        var networks: [Self] = []
        while true {
            // The largest network that begins here and does not reach beyond the end.
            var length = first.width - min(first.width, first.bits.trailingZeroBitCount)
            while let network = Self(first, length: length), network.address.last(in: network.mask).bits > last.bits {
                length += 1
            }
            guard let network = Self(first, length: length) else { return [] }
            networks.append(network)
            let end = network.address.last(in: network.mask)
            guard end.bits < last.bits, let next = end.next else { return networks }
            first = next
        }
    }

    /// Fails when `address` has bits behind `length`.
    private init?(_ address: IPAddress, length: Int) {
        guard (0...address.width).contains(length) else { return nil }
        let mask: UInt128 = (UInt128.max >> (128 - address.width)) & (UInt128.max << (address.width - length))
        guard address.bits & mask == address.bits else { return nil }
        self.init(address: address, mask: mask)
    }
}
