/// A bounded dictionary that forgets what has not been used for longest, roughly: the algorithm CLOCK (Corbató, "A Paging
/// Experiment with the Multics System", 1968), also known as second chance.
///
/// Every call does a bounded amount of work, whatever the capacity: a full cache forgets one entry for each new one, and
/// no table is ever made anew or freed as a whole. A hit writes one flag. Entries stand in one array for which there is
/// room from the first on (memory that is not used yet is not taken from the system), and are found by a hash that is
/// computed once.
///
/// Inlinable, so that every module has it made for its own types: what looks up types at run time costs more than the
/// search.
package struct RecencyCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    @usableFromInline struct Entry: Sendable {
        @usableFromInline var key: Key
        @usableFromInline var value: Value
        @usableFromInline var digest: Int

        /// Another entry of the same chain. Negative at its end.
        @usableFromInline var next: Int32

        /// Whether it was used since the hand passed it.
        @usableFromInline var isUsed: Bool

        @inlinable init(key: Key, value: Value, digest: Int, next: Int32) {
            self.key = key
            self.value = value
            self.digest = digest
            self.next = next
            isUsed = false
        }
    }

    /// Used entries that are passed over for a new one; the next goes though it may be in use.
    @usableFromInline static var maximumSteps: Int { 64 }

    @usableFromInline static var noPlace: Int32 { -1 }

    @usableFromInline let capacity: Int
    @usableFromInline var entries: ContiguousArray<Entry> = []

    /// The first entry of each chain. As many as there may be entries, rounded up to a power of two; none before the
    /// first entry.
    @usableFromInline var chains: ContiguousArray<Int32> = []

    /// The entry that is looked at next for one to forget.
    @usableFromInline var hand = 0

    /// Holds at most `capacity` entries, and at least one.
    package init(capacity: Int) { self.capacity = min(max(1, capacity), Int(Int32.max)) }

    /// How many entries are held.
    @inlinable package var count: Int { entries.count }

    /// The value of `key`, which counts as used.
    @inlinable package mutating func value(for key: Key) -> Value? {
        guard let place = place(of: key, digest: key.hashValue) else { return nil }
        use(place)
        return entries[place].value
    }

    /// Holds `value`, instead of any earlier one, until it is forgotten.
    @inlinable package mutating func insert(_ value: Value, for key: Key) {
        let digest = key.hashValue
        if let place = place(of: key, digest: digest) {
            use(place)
            entries[place].value = value
        } else {
            add(value, for: key, digest: digest)
        }
    }

    /// Changes the value of `key`, which is `initial` when there is none yet.
    @inlinable package mutating func update<Result>(
        _ key: Key, from initial: @autoclosure () -> Value, _ change: (inout Value) -> Result
    ) -> Result {
        let digest = key.hashValue
        if let place = place(of: key, digest: digest) {
            use(place)
            return change(&entries[place].value)
        }
        var value = initial()
        let result = change(&value)
        add(value, for: key, digest: digest)
        return result
    }

    /// Forgets everything. Takes as long as there are entries.
    package mutating func removeAll() { self = Self(capacity: capacity) }

    // MARK: Places

    @inlinable func place(of key: Key, digest: Int) -> Int? {
        guard !chains.isEmpty else { return nil }
        var next = chains[digest & (chains.count - 1)]
        while next >= 0 {
            let place = Int(next)
            if entries[place].digest == digest, entries[place].key == key { return place }
            next = entries[place].next
        }
        return nil
    }

    @inlinable mutating func use(_ place: Int) {
        // Mostly it was: then nothing is written.
        if !entries[place].isUsed { entries[place].isUsed = true }
    }

    @inlinable mutating func add(_ value: Value, for key: Key, digest: Int) {
        if chains.isEmpty { makeRoom() }
        let chain = digest & (chains.count - 1)
        if entries.count < capacity {
            entries.append(Entry(key: key, value: value, digest: digest, next: chains[chain]))
            chains[chain] = Int32(entries.count - 1)
        } else {
            let place = placeToForget()
            unlink(place)
            entries[place] = Entry(key: key, value: value, digest: digest, next: chains[chain])
            chains[chain] = Int32(place)
        }
    }

    @inlinable mutating func makeRoom() {
        var count = 1
        while count < capacity { count *= 2 }
        chains = ContiguousArray(repeating: Self.noPlace, count: count)
        entries.reserveCapacity(capacity)
    }

    /// The hand goes on to an entry that was not used since it passed last.
    @inlinable mutating func placeToForget() -> Int {
        for _ in 0..<Self.maximumSteps {
            guard entries[hand].isUsed else { break }
            entries[hand].isUsed = false
            hand = hand + 1 < capacity ? hand + 1 : 0
        }
        defer { hand = hand + 1 < capacity ? hand + 1 : 0 }
        return hand
    }

    /// Takes an entry out of its chain.
    @inlinable mutating func unlink(_ place: Int) {
        let chain = entries[place].digest & (chains.count - 1)
        let next = entries[place].next
        guard chains[chain] != Int32(place) else {
            chains[chain] = next
            return
        }
        var before = Int(chains[chain])
        while entries[before].next != Int32(place) { before = Int(entries[before].next) }
        entries[before].next = next
    }
}
