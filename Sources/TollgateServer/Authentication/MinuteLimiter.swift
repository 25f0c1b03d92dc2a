import TollgateCore

/// Counts what each of many does in a clock minute, on this worker alone. Bounded: who has not been seen for longest is
/// forgotten first.
struct MinuteLimiter<Key: Hashable & Sendable>: Sendable {
    private struct Count: Sendable {
        let window: RateWindow
        var requests: Int
    }

    private var counts: GenerationCache<Key, Count>

    /// - Parameter capacity: How many are remembered.
    init(capacity: Int) { counts = GenerationCache(capacity: capacity) }

    /// Whether `key` has done it less than `limit` times in the minute of `time`; counted if so.
    mutating func admits(_ key: Key, limit: Int, at time: UnixTime) -> Bool {
        let window = RateWindow(containing: time)
        var count = counts.value(for: key) ?? Count(window: window, requests: 0)
        if count.window != window { count = Count(window: window, requests: 0) }
        guard count.requests < limit else { return false }
        count.requests += 1
        counts.insert(count, for: key)
        return true
    }
}
