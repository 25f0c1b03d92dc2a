/// Where a server is, be it one of a cluster's or a sentinel.
package struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
    /// A name, or an address without brackets.
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// As a cluster's servers tell it (`CLUSTER SHARDS`, `CLUSTER SLOTS`). Nil for what is no address to connect to.
    ///
    /// - Parameters:
    ///   - endpoint: What the server wishes to be called. Nothing stands for the place that was asked, and `?` for a name
    ///     that is not known.
    ///   - address: Its address, where that is told as well.
    ///   - host: The place that was asked.
    package init?(endpoint: String?, address: String?, port: Int64, from host: String) {
        guard (1...65_535).contains(port) else { return nil }
        let name =
            switch endpoint {
            case nil, "": host
            case "?": address.flatMap { $0.isEmpty ? nil : $0 } ?? host
            case .some(let endpoint): endpoint
            }
        guard Self.isHost(name) else { return nil }
        self.init(host: name, port: Int(port))
    }

    /// Whether `host` has the looks of a name or an address: it stands in logs, and is looked up.
    static func isHost(_ host: String) -> Bool {
        (1...255).contains(host.utf8.count)
            && host.utf8.allSatisfy { $0 > UInt8(ascii: " ") && $0 < 0x7F && $0 != UInt8(ascii: "@") }
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
