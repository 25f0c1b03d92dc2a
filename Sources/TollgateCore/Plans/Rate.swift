/// The clock minute that the per-minute rate limit counts in: `floor(unix seconds / 60)`.
package struct RateWindow: Sendable, Hashable {
    package static let lengthSeconds: Int64 = 60

    /// Minutes since 1970-01-01T00:00:00Z.
    package let minute: Int64

    package init(containing time: UnixTime) {
        minute = time.seconds.dividedRoundingDown(by: Self.lengthSeconds)
    }

    /// The first moment of the next minute.
    package var end: UnixTime { UnixTime(seconds: (minute + 1) * Self.lengthSeconds) }
}

/// The most requests of one caller that a route takes in a clock minute, beside the rate of the caller's plan.
package struct RouteLimit: Sendable, Hashable {
    /// The route's name, which becomes part of a name in Redis.
    package let route: String

    package let ratePerMinute: Int

    /// Fails when `route` has another form than a route's name (1 to 64 lower-case letters, digits, `_` and `-`), or
    /// the rate is not 0 to ``Plan/maximumLimit``.
    package init?(route: String, ratePerMinute: Int) {
        guard Plan.isValidName(route), (0...Plan.maximumLimit).contains(ratePerMinute) else { return nil }
        self.route = route
        self.ratePerMinute = ratePerMinute
    }
}
