/// Some IP networks, such as those of the proxies that are trusted.
package struct NetworkList: Sendable, Hashable {
    package static let maximumCount = 256

    /// No network at all.
    package static let empty = NetworkList(networks: [])

    fileprivate struct Network: Sendable, Hashable {
        let bits: UInt128
        let mask: UInt128
        let isIPv4: Bool
    }

    private let networks: [Network]

    package var isEmpty: Bool { networks.isEmpty }

    private init(networks: [Network]) { self.networks = networks }

    /// Reads addresses (`192.0.2.1`, `2001:db8::1`) and networks (`10.0.0.0/8`, `2001:db8::/32`). Fails when one of them
    /// is neither, when an address has bits that its network's length leaves out, and for more than ``maximumCount``.
    package init?(_ texts: [String]) {
        let networks = texts.compactMap(Network.init)
        guard networks.count == texts.count, networks.count <= Self.maximumCount else { return nil }
        self.init(networks: networks)
    }

    /// Whether one of the networks has the address in it. False for a text that is no address.
    package func contains(_ address: String) -> Bool {
        guard !networks.isEmpty, let address = IPAddress(address) else { return false }
        return contains(address)
    }

    /// Whether one of the networks has the address in it. An IPv4 address is in IPv4 networks only.
    package func contains(_ address: IPAddress) -> Bool {
        networks.contains { $0.isIPv4 == address.isIPv4 && $0.bits == address.bits & $0.mask }
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
        let hostBits = address.width - length
        let mask: UInt128 = (UInt128.max >> (128 - address.width)) & (UInt128.max << hostBits)
        guard address.bits & mask == address.bits else { return nil }
        self.init(bits: address.bits, mask: mask, isIPv4: address.isIPv4)
    }
}
