/// A bounded dictionary that forgets what has not been asked for longest, roughly.
///
/// There are two generations. Entries enter the current one; when that holds half the capacity it becomes the
/// previous one, and what was previous is forgotten at once. A hit in the previous generation moves the entry to the
/// current one, so whatever is in use survives. No list to maintain, no entry ever removed singly.
package struct GenerationCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let generationCapacity: Int
    private var current: [Key: Value] = [:]
    private var previous: [Key: Value] = [:]

    /// Holds at most `capacity` entries, and at least half as many of those used last.
    package init(capacity: Int) {
        generationCapacity = max(1, capacity / 2)
    }

    /// How many entries are held.
    package var count: Int { current.count + previous.count }

    /// The value of `key`, which counts as used.
    package mutating func value(for key: Key) -> Value? {
        if let value = current[key] { return value }
        guard let value = previous.removeValue(forKey: key) else { return nil }
        insert(value, for: key)
        return value
    }

    /// Holds `value`, instead of any earlier one, until capacity or ``removeAll()`` ends that.
    package mutating func insert(_ value: Value, for key: Key) {
        if current.count >= generationCapacity, current[key] == nil {
            previous = current
            current = [:]
        } else {
            previous[key] = nil
        }
        current[key] = value
    }

    /// Forgets everything.
    package mutating func removeAll() {
        current = [:]
        previous = [:]
    }
}
