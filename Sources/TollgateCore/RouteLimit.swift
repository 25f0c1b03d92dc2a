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
