/// Where a server of a cluster is.
package struct ClusterNode: Sendable, Hashable, CustomStringConvertible {
    /// A name, or an address without brackets.
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
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
