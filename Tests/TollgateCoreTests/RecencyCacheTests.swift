import Testing

@testable import TollgateCore

/// What is remembered, what is forgotten, and what a call does for it.
@Suite struct RecencyCacheTests {
    @Test func whatIsInUseStays() {
        var cache = RecencyCache<Int, String>(capacity: 10)
        cache.insert("first", for: -1)
        for index in 0..<100 {
            cache.insert("\(index)", for: index)
            #expect(cache.value(for: -1) == "first")
            #expect(cache.count <= 10)
        }
        cache.insert("second", for: -1)
        #expect(cache.value(for: -1) == "second")
        #expect(cache.value(for: 0) == nil)
        cache.removeAll()
        #expect(cache.value(for: -1) == nil)
        #expect(cache.count == 0)
    }

    /// As many as it has room for are all found again, in any order.
    @Test func nothingIsForgottenBeforeItIsFull() {
        var cache = RecencyCache<Int, Int>(capacity: 1000)
        for key in 0..<1000 { cache.insert(key * 2, for: key) }
        for _ in 0..<3 { for key in (0..<1000).shuffled() { #expect(cache.value(for: key) == key * 2) } }
    }

    /// Random calls, against a dictionary that forgets nothing: what is found is what was written last.
    @Test(arguments: [1, 2, 3, 7, 64]) func whatIsFoundIsWhatWasWrittenLast(capacity: Int) {
        var cache = RecencyCache<Int, Int>(capacity: capacity)
        var written: [Int: Int] = [:]
        var found = 0
        for step in 0..<20_000 {
            let key = Int.random(in: 0..<3 * capacity)
            switch step % 3 {
            case 0:
                cache.insert(step, for: key)
                written[key] = step
            case 1:
                let known = cache.value(for: key)
                #expect(known == nil || known == written[key])
                if known != nil { found += 1 }
            default:
                let before = cache.update(key, from: -1) { value in
                    defer { value = step }
                    return value
                }
                #expect(before == -1 || before == written[key])
                written[key] = step
            }
            #expect(cache.count <= capacity)
            #expect(cache.value(for: key) == (step % 3 == 1 ? cache.value(for: key) : step))
        }
        #expect(found > 1000)
    }

    /// Counts how often it is hashed, compared and freed.
    private final class Work: @unchecked Sendable {
        // Unchecked: only the test's own task knows it.
        var hashes = 0
        var comparisons = 0
        var frees = 0
    }

    private final class Payload: Sendable {
        let work: Work
        init(_ work: Work) { self.work = work }
        deinit { work.frees += 1 }
    }

    private struct Key: Hashable, Sendable {
        let number: Int
        let work: Work

        static func == (left: Key, right: Key) -> Bool {
            left.work.comparisons += 1
            return left.number == right.number
        }

        func hash(into hasher: inout Hasher) {
            work.hashes += 1
            hasher.combine(number)
        }
    }

    /// One call hashes once, and frees one entry at most, however many there are.
    @Test func noCallDoesMoreThanItsPart() {
        let work = Work()
        var cache = RecencyCache<Key, Payload>(capacity: 4096)
        for number in 0..<20_000 {
            let key = Key(number: number, work: work)
            (work.hashes, work.comparisons, work.frees) = (0, 0, 0)
            cache.insert(Payload(work), for: key)
            #expect(work.hashes == 1)
            #expect(work.frees <= 1)
            #expect(work.comparisons <= 1)
            // Every other one is in use.
            guard number.isMultiple(of: 2) else { continue }
            work.hashes = 0
            #expect(cache.value(for: key) != nil)
            #expect(work.hashes == 1)
        }
        #expect(cache.count == 4096)
    }

    /// Where all are in use, a new one still costs a bounded number of looks.
    @Test func theHandGoesABoundedWay() {
        var cache = RecencyCache<Int, Int>(capacity: 1000)
        for key in 0..<1000 { cache.insert(key, for: key) }
        for key in 0..<1000 { _ = cache.value(for: key) }
        cache.insert(0, for: 5000)
        #expect(cache.hand == RecencyCache<Int, Int>.maximumSteps + 1)
        #expect(cache.value(for: 5000) == 0)
        #expect((0..<1000).count { cache.value(for: $0) != nil } == 999)
    }

    /// The table is made once: it is where it was after everything in it has changed.
    @Test func theTableIsNeverMadeAnew() {
        var cache = RecencyCache<Int, Int>(capacity: 1000)
        cache.insert(0, for: 0)
        let room = cache.entries.capacity
        #expect(room >= 1000)
        for key in 1..<10_000 { cache.insert(key, for: key) }
        #expect(cache.entries.capacity == room)
        #expect(cache.chains.count == 1024)
    }
}
