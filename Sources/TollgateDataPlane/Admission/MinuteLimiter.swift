import Synchronization
package import TollgateCore

/// Counts what each of many does in a clock minute, against one limit; on this worker alone, since asking Redis is what
/// is to be spared. Bounded: the key that has not been seen for longest is forgotten first.
package final class MinuteLimiter<Key: Hashable & Sendable>: Sendable {
    private struct Count: Sendable {
        let window: RateWindow
        var number: Int
    }

    private let limit: Int
    private let counts: Mutex<GenerationCache<Key, Count>>

    /// - Parameters:
    ///   - limit: What each key may do in a minute.
    ///   - capacity: Keys that are remembered.
    package init(limit: Int, capacity: Int) {
        self.limit = limit
        counts = Mutex(GenerationCache(capacity: capacity))
    }

    /// Whether `key` has done it less often than ``limit`` in the minute of `time`; counted if so.
    package func admits(_ key: Key, at time: UnixTime) -> Bool {
        let window = RateWindow(containing: time)
        return counts.withLock { counts in
            let number = Self.number(of: key, in: window, &counts)
            guard number < limit else { return false }
            counts.insert(Count(window: window, number: number + 1), for: key)
            return true
        }
    }

    /// Counts, whatever the limit is.
    package func count(_ key: Key, at time: UnixTime) {
        let window = RateWindow(containing: time)
        counts.withLock { counts in
            let number = Self.number(of: key, in: window, &counts)
            counts.insert(Count(window: window, number: number + 1), for: key)
        }
    }

    /// Seconds until `key` may do it again. Nil when it may now.
    package func retryAfterSeconds(for key: Key, at time: UnixTime) -> Int64? {
        let window = RateWindow(containing: time)
        guard counts.withLock({ Self.number(of: key, in: window, &$0) }) >= limit else { return nil }
        return window.secondsLeft(at: time)
    }

    /// What was counted in `window`.
    private static func number(
        of key: Key, in window: RateWindow, _ counts: inout GenerationCache<Key, Count>
    ) -> Int {
        counts.value(for: key).flatMap { $0.window == window ? $0.number : nil } ?? 0
    }
}

extension RateWindow {
    /// Seconds until the next minute begins; at least one.
    package func secondsLeft(at time: UnixTime) -> Int64 { max(1, end.seconds - time.seconds) }
}

/// Slows down callers who try one key after another: too many failures in one clock minute, and keys from that network
/// are not looked at until the next.
///
/// A good key in between changes nothing: one who guesses may well have one of their own.
package final class GuessLimiter: Sendable {
    /// Failures in a minute that are looked at.
    package static let maximumFailures = 30

    /// Networks that are remembered.
    static let standardCapacity = 16_384

    private let failures: MinuteLimiter<ClientNetwork>

    package init(capacity: Int = standardCapacity) {
        failures = MinuteLimiter(limit: Self.maximumFailures, capacity: capacity)
    }

    /// The refusal of a key from `network`, whatever the key is. Nil when it may be looked at. To be asked before Redis
    /// is.
    package func refusal(of network: ClientNetwork, at time: UnixTime) -> APIError? {
        failures.retryAfterSeconds(for: network, at: time).map { .tooManyFailedKeys(retryAfterSeconds: $0) }
    }

    /// Counts `error` when it refuses a key that may have been guessed.
    ///
    /// - Parameter network: Where the key came from. Only worked out when it is needed.
    package func count(_ error: APIError, from network: @autoclosure () -> ClientNetwork, at time: UnixTime) {
        guard error.isFailedKey else { return }
        failures.count(network(), at: time)
    }
}
