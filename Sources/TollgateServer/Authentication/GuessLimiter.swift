import Synchronization
import TollgateCore

/// Slows down whoever tries one key after another: too many failures in one clock minute, and keys from that network
/// are not looked at until the next.
///
/// A good key in between changes nothing: whoever guesses may well have one of their own. Each worker counts for
/// itself, since asking Redis is what is to be spared.
package struct GuessLimiter: Sendable {
    /// Failures in a minute that are looked at.
    package static let maximumFailures = 30

    /// Networks that are remembered.
    package static let standardCapacity = 16_384

    private struct Failures: Sendable {
        let window: RateWindow
        var count: Int
    }

    private var failures: GenerationCache<ClientNetwork, Failures>

    package init(capacity: Int = standardCapacity) { failures = GenerationCache(capacity: capacity) }

    /// Seconds until keys from `network` are looked at again. Nil when they are now.
    package mutating func retryAfterSeconds(for network: ClientNetwork, at time: UnixTime) -> Int64? {
        let window = RateWindow(containing: time)
        guard let found = failures.value(for: network), found.window == window, found.count >= Self.maximumFailures
        else { return nil }
        return max(1, window.end.seconds - time.seconds)
    }

    /// A key from `network` was none.
    package mutating func countFailure(of network: ClientNetwork, at time: UnixTime) {
        let window = RateWindow(containing: time)
        let before = failures.value(for: network).flatMap { $0.window == window ? $0.count : nil } ?? 0
        failures.insert(Failures(window: window, count: before + 1), for: network)
    }
}

/// One ``GuessLimiter`` for all event loops of a worker.
package final class SharedGuessLimiter: Sendable {
    private let limiter: Mutex<GuessLimiter>

    package init(capacity: Int = GuessLimiter.standardCapacity) {
        limiter = Mutex(GuessLimiter(capacity: capacity))
    }

    /// The refusal of a key from `network`, whatever the key is. Nil when it may be looked at. To be asked before Redis
    /// is.
    package func refusal(of network: ClientNetwork, at time: UnixTime) -> APIError? {
        limiter.withLock { $0.retryAfterSeconds(for: network, at: time) }
            .map { .tooManyFailedKeys(retryAfterSeconds: $0) }
    }

    /// Counts `error` when it refuses a key that may have been guessed.
    package func count(_ error: APIError, from network: ClientNetwork, at time: UnixTime) {
        guard error.isFailedKey else { return }
        limiter.withLock { $0.countFailure(of: network, at: time) }
    }
}
