/// When a call of Clerk's Backend API is made again. No clock and no dice: the caller waits and draws.
package enum ClerkRetryPolicy {
    /// Tries after the first one.
    package static let maximumRetries = 2

    /// How long to wait before the next try, or nil to leave it. The caller leaves it too when there is not so much
    /// time.
    ///
    /// - Parameters:
    ///   - retries: How many there have been.
    ///   - answer: Nil when the connection failed or no answer came in time.
    ///   - jitter: From 0 to 1.
    package static func delay(afterRetries retries: Int, answer: ClerkAnswer?, jitter: Double) -> Duration? {
        guard retries < maximumRetries, isWorthwhile(answer) else { return nil }
        let longest = Duration.seconds(0.2) * (1 << retries)
        let backoff = longest / 2 + longest / 2 * jitter
        return max(backoff, .seconds(answer?.retryAfterSeconds ?? 0))
    }

    private static func isWorthwhile(_ answer: ClerkAnswer?) -> Bool {
        guard let answer else { return true }
        return answer.status == 429 || answer.status >= 500
    }
}
