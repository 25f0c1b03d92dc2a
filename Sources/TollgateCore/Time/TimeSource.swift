/// Tells the time. Production reads the system's clock, corrected by Redis'; tests say what time it is.
package protocol TimeSource: Sendable {
    func now() -> UnixTime

    /// Whether ``now()`` is the time that all workers go by. As long as it is not, nothing is decided by it.
    var isKnown: Bool { get }
}

extension TimeSource {
    package var isKnown: Bool { true }
}
