/// The sentinels that watch over a primary, and the name that they know it by.
package struct SentinelGroup: Sendable, Hashable {
    /// Where a sentinel is.
    package struct Place: Sendable, Hashable {
        package let host: String
        package let port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    package static let defaultPort = 26_379

    /// Far more than anybody runs.
    package static let maximumCount = 32

    /// At least one.
    package let places: [Place]

    /// What the sentinels call the primary, such as `mymaster`.
    package let primary: String

    package init(places: [Place], primary: String) {
        self.places = places
        self.primary = primary
    }
}
