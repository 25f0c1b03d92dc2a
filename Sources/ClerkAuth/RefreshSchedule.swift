/// How long the background waits between two loads of the key set.
package enum RefreshSchedule {
    /// After a load that succeeded. Clerk's SDKs keep keys as long.
    static let refreshInterval: Duration = .seconds(300)

    /// The longest wait after failures, reached at the sixth in a row.
    static let longestRetry: Duration = .seconds(60)

    /// The wait after so many failures in a row: twice as long each time, and anywhere in the upper half of that, so
    /// that several gateways do not knock together.
    ///
    /// - Parameter jitter: From 0 to 1, drawn by the caller.
    package static func delay(afterFailures failures: Int, jitter: Double) -> Duration {
        guard failures > 0 else { return refreshInterval }
        let longest = min(Duration.seconds(1 << min(failures, 6)), longestRetry)
        return longest / 2 + longest / 2 * jitter
    }
}
