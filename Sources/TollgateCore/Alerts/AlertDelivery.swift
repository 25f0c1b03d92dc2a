/// The way of one alert to its receiver: how often it was tried, and what comes next.
package struct AlertDelivery: Sendable, Hashable {
    /// How long it is tried before it is given up.
    package static let patienceSeconds: Int64 = 86_400

    /// The wait after the first try, which doubles with each, and the longest.
    private static let firstWaitMilliseconds: Int64 = 5_000
    private static let longestWaitMilliseconds: Int64 = 3_600_000

    /// How a try has ended.
    package enum Result: Sendable, Hashable {
        case delivered

        /// The receiver has not taken it.
        ///
        /// - Parameter waitSeconds: How long it asks to be left alone, if it does.
        case failed(reason: String, waitSeconds: Int64?)

        /// The receiver wants no more of it.
        case gone(reason: String)
    }

    /// What comes next.
    package enum Next: Sendable, Hashable {
        case isDelivered
        case retry(at: UnixTime)
        /// An operator may have it sent again.
        case isDead
    }

    /// When the tries began.
    package private(set) var since: UnixTime

    /// Tries that have ended.
    package private(set) var attempts: Int

    /// Why the last one did not succeed. Nil before the first, and after one that has.
    package private(set) var failure: String?

    package init(since: UnixTime, attempts: Int = 0, failure: String? = nil) {
        self.since = since
        self.attempts = max(0, attempts)
        self.failure = failure
    }

    /// A try has ended.
    ///
    /// - Parameters:
    ///   - time: Now.
    ///   - jitter: A random number from 0 to 1, so that what failed together does not come back together.
    package mutating func ended(_ result: Result, at time: UnixTime, jitter: Double) -> Next {
        attempts += 1
        switch result {
        case .delivered:
            failure = nil
            return .isDelivered
        case .gone(let reason):
            failure = reason
            return .isDead
        case .failed(let reason, let waitSeconds):
            failure = reason
            let asked = (waitSeconds ?? 0).clamped(to: 0...Self.longestWaitMilliseconds / 1000) * 1000
            let wait = max(asked, Self.waitMilliseconds(afterAttempts: attempts, jitter: jitter))
            let next = UnixTime(milliseconds: time.milliseconds + wait)
            return next.seconds - since.seconds > Self.patienceSeconds ? .isDead : .retry(at: next)
        }
    }

    /// From three quarters to five quarters of the step.
    private static func waitMilliseconds(afterAttempts attempts: Int, jitter: Double) -> Int64 {
        let doublings = Int64(min(max(0, attempts - 1), 20))
        let step = min(longestWaitMilliseconds, firstWaitMilliseconds << doublings)
        return Int64(Double(step) * (0.75 + 0.5 * jitter.clamped(to: 0...1)))
    }

    /// An operator has it sent again: it has as long as a new one.
    package mutating func begin(at time: UnixTime) { since = time }
}
