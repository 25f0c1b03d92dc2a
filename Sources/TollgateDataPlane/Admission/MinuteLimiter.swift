import Synchronization
package import TollgateCore

/// Counts what each of many does in a clock minute, against one limit; on this worker alone, since asking Redis is what
/// is to be spared. Bounded: the key that has not been seen for longest is forgotten first.
package final class MinuteLimiter<Key: Hashable & Sendable>: Sendable {
    private struct Count: Sendable {
        var window: RateWindow
        var number = 0

        func number(in window: RateWindow) -> Int { self.window == window ? number : 0 }

        /// Counts one more, if there are fewer than `limit`.
        ///
        /// - Returns: Whether it was counted.
        mutating func count(in window: RateWindow, below limit: Int = .max) -> Bool {
            let number = number(in: window)
            guard number < limit else { return false }
            self = Count(window: window, number: number + 1)
            return true
        }
    }

    private let limit: Int
    private let counts: Mutex<RecencyCache<Key, Count>>

    /// - Parameters:
    ///   - limit: What each key may do in a minute.
    ///   - capacity: Keys that are remembered.
    package init(limit: Int, capacity: Int) {
        self.limit = limit
        counts = Mutex(RecencyCache(capacity: capacity))
    }

    /// Whether `key` has done it less often than ``limit`` in the minute of `time`; counted if so.
    package func admits(_ key: Key, at time: UnixTime) -> Bool {
        let window = RateWindow(containing: time)
        return counts.withLock { counts in
            counts.update(key, from: Count(window: window)) { $0.count(in: window, below: limit) }
        }
    }

    /// Counts, whatever the limit is.
    package func count(_ key: Key, at time: UnixTime) {
        let window = RateWindow(containing: time)
        _ = counts.withLock { counts in counts.update(key, from: Count(window: window)) { $0.count(in: window) } }
    }

    /// Seconds until `key` may do it again. Nil when it may now.
    package func retryAfterSeconds(for key: Key, at time: UnixTime) -> Int64? {
        let window = RateWindow(containing: time)
        let number = counts.withLock { $0.value(for: key)?.number(in: window) } ?? 0
        return number >= limit ? window.secondsLeft(at: time) : nil
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
