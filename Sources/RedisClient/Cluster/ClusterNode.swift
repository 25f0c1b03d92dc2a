/// Where a server of a cluster is.
package struct ClusterNode: Sendable, Hashable, CustomStringConvertible {
    /// A name, or an address without brackets.
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Whether `host` has the looks of a name or an address: it stands in logs, and is looked up.
    static func isHost(_ host: String) -> Bool {
        (1...255).contains(host.utf8.count)
            && host.utf8.allSatisfy { $0 > UInt8(ascii: " ") && $0 < 0x7F && $0 != UInt8(ascii: "@") }
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// What `redis-cluster://` names: some of a cluster's servers, which tell where the others are.
package struct ClusterSeeds: Sendable, Hashable {
    /// Far more than anybody names.
    package static let maximumCount = 64

    /// At least one.
    package let nodes: [ClusterNode]

    package init(nodes: [ClusterNode]) { self.nodes = nodes }
}
