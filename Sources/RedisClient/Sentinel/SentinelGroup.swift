/// The sentinels that watch over a primary, and the name that they know it by.
package struct SentinelGroup: Sendable, Hashable {
    package static let defaultPort = 26_379

    /// Far more than anybody runs.
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
