/// The sentinels that watch over a primary, and the name that they know it by.
package struct SentinelGroup: Sendable, Hashable {
    static let defaultPort = 26_379

    /// Far more than any deployment runs.
    package static let maximumCount = 32

    /// Where the sentinels are. At least one.
    package let places: [HostAndPort]

    /// What the sentinels call the primary, such as `mymaster`.
    package let primary: String

    package init(places: [HostAndPort], primary: String) {
        self.places = places
        self.primary = primary
    }
}

/// What `redis-cluster://` names: some of a cluster's servers, which tell where the others are.
package struct ClusterSeeds: Sendable, Hashable {
    /// Far more than any configuration needs.
    package static let maximumCount = 64

    /// At least one.
    package let nodes: [HostAndPort]

    package init(nodes: [HostAndPort]) { self.nodes = nodes }
}
