/// What `redis-cluster://` names: some of a cluster's servers, which tell where the others are.
package struct ClusterSeeds: Sendable, Hashable {
    /// Far more than anybody names.
    package static let maximumCount = 64

    /// At least one.
    package let nodes: [HostAndPort]

    package init(nodes: [HostAndPort]) { self.nodes = nodes }
}
