/// When an upstream that fails is left out, and for how long.
package struct HealthPolicy: Sendable, Hashable {
    /// Failures in a row that eject an upstream.
    var failuresToEject: Int

    /// The first time out, in milliseconds; it doubles with each ejection that follows without a success between.
    var firstEjectionMilliseconds: UInt64
    var maximumEjectionMilliseconds: UInt64

    init(
        failuresToEject: Int = 3, firstEjectionMilliseconds: UInt64 = 1000, maximumEjectionMilliseconds: UInt64 = 60_000
    ) {
        self.failuresToEject = failuresToEject
        self.firstEjectionMilliseconds = firstEjectionMilliseconds
        self.maximumEjectionMilliseconds = maximumEjectionMilliseconds
    }
}

/// When an upstream is given a rest, so that clients fail fast and a service that is down can come up.
package struct BreakerPolicy: Sendable, Hashable {
    /// Requests that must have ended within a window before it is judged.
    package var minimumRequests: Int

    /// Share of failures, in percent, that opens the breaker.
    var failurePercent: Int
    package var windowMilliseconds: UInt64

    /// How long nothing is let through, and how long the requests that try it out afterwards have before others may.
    package var openMilliseconds: UInt64

    /// Requests that try it out afterwards; all must succeed.
    var probes: Int

    package init(
        minimumRequests: Int = 20, failurePercent: Int = 80, windowMilliseconds: UInt64 = 10_000,
        openMilliseconds: UInt64 = 2000, probes: Int = 3
    ) {
        self.minimumRequests = minimumRequests
        self.failurePercent = failurePercent
        self.windowMilliseconds = windowMilliseconds
        self.openMilliseconds = openMilliseconds
        self.probes = probes
    }
}
