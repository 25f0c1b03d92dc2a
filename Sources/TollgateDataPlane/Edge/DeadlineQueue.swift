import NIOCore

/// What has a place in a ``DeadlineQueue``.
protocol Timed: AnyObject {
    /// Where it stands in the queue, which alone writes it. Nil while it is in none.
    var queueIndex: Int? { get set }
}

/// Everything that waits on one event loop, each until a deadline of its own, and which of them one timer has to wait
/// for.
///
/// A timer of the event loop for each would be looked for among all others whenever it is cancelled (NIO keeps no place
/// of a scheduled task). Here a member knows its place: adding, moving and removing it takes steps that grow with the
/// logarithm of the members (a binary heap), and the event loop has one timer.
///
/// Pure: methods take what has happened, and return when the timer has to fire.
struct DeadlineQueue<Member: Timed> {
    private struct Entry {
        var deadline: NIODeadline
        let member: Member
    }

    private var heap: [Entry] = []

    /// When the timer fires. ``NIODeadline/distantFuture`` when none is set; long ago in the middle of a sweep, which sets
    /// it at its end.
    private var armed = NIODeadline.distantFuture

    var count: Int { heap.count }

    /// All members, in no order.
    var members: [Member] { heap.map(\.member) }

    /// Has `member` wait until `deadline`, whether or not it has waited before.
    ///
    /// - Returns: When the timer has to fire instead. Nil when the one that is set fires in time.
    mutating func wait(_ member: Member, until deadline: NIODeadline) -> NIODeadline? {
        if let index = member.queueIndex {
            heap[index].deadline = deadline
            settle(index)
        } else {
            heap.append(Entry(deadline: deadline, member: member))
            member.queueIndex = heap.count - 1
            rise(from: heap.count - 1)
        }
        return deadlineToArm()
    }

    /// `member` waits no longer. A timer that was set for it fires in vain: taking it back costs more.
    mutating func remove(_ member: Member) {
        guard let index = member.queueIndex else { return }
        member.queueIndex = nil
        let last = heap.removeLast()
        guard index < heap.count else { return }
        place(last, at: index)
        settle(index)
    }

    /// The timer has fired: ``next(at:)`` gives whose time has come, until ``sweepEnded()``.
    mutating func sweepBegan() { armed = .uptimeNanoseconds(0) }

    /// One whose time has come. Nil when there is none left. It waits for ever until it is told otherwise.
    mutating func next(at now: NIODeadline) -> Member? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        heap[0].deadline = .distantFuture
        sink(from: 0)
        return first.member
    }

    /// - Returns: When the timer has to fire next. Nil when nothing waits.
    mutating func sweepEnded() -> NIODeadline? {
        armed = .distantFuture
        return deadlineToArm()
    }

    private mutating func deadlineToArm() -> NIODeadline? {
        guard let first = heap.first?.deadline, first < armed else { return nil }
        armed = first
        return first
    }

    // MARK: The heap

    private mutating func place(_ entry: Entry, at index: Int) {
        heap[index] = entry
        entry.member.queueIndex = index
    }

    private mutating func settle(_ index: Int) {
        rise(from: index)
        sink(from: index)
    }

    private mutating func rise(from start: Int) {
        var index = start
        let entry = heap[index]
        while index > 0, entry.deadline < heap[(index - 1) / 2].deadline {
            place(heap[(index - 1) / 2], at: index)
            index = (index - 1) / 2
        }
        if index != start { place(entry, at: index) }
    }

    private mutating func sink(from start: Int) {
        var index = start
        let entry = heap[index]
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline { child += 1 }
            guard heap[child].deadline < entry.deadline else { break }
            place(heap[child], at: index)
            index = child
        }
        if index != start { place(entry, at: index) }
    }
}
