/// When a call is made again. No clock and no dice: the caller waits and draws.
///
/// As Stripe's SDKs have it, with one addition: 429 is tried again when `Retry-After` says that it is soon worthwhile.
package enum StripeRetryPolicy {
    /// Tries after the first one.
    package static let maximumRetries = 2

    /// The longest wait that a caller of ours is made to bear.
    static let longestRetryAfterSeconds = 3

    /// How long to wait before the next try, or nil to leave it.
    ///
    /// - Parameters:
    ///   - retries: How many there have been.
    ///   - answer: Nil when the connection failed or no answer came in time.
    ///   - jitter: From 0 to 1.
    package static func delay(afterRetries retries: Int, answer: StripeAnswer?, jitter: Double) -> Duration? {
        guard retries < maximumRetries, isWorthwhile(answer) else { return nil }
        let longest = min(Duration.seconds(0.5) * (1 << retries), .seconds(5))
        let backoff = longest / 2 + longest / 2 * jitter
        guard let seconds = answer?.retryAfterSeconds else { return backoff }
        return seconds <= longestRetryAfterSeconds ? max(backoff, .seconds(seconds)) : nil
    }

    private static func isWorthwhile(_ answer: StripeAnswer?) -> Bool {
        guard let answer else { return true }
        if let shouldRetry = answer.shouldRetry { return shouldRetry }
        return switch answer.status {
        case 409, 500...: true
        case 429: answer.retryAfterSeconds != nil
        default: false
        }
    }
}
