import NIOCore

/// The commands of one connection that have no reply yet, in the order in which they were sent: Redis answers in that
/// order, so the n-th reply belongs to the n-th command.
///
/// A caller that was cancelled or has timed out leaves a tombstone: its place stays, its reply is dropped when
/// it comes. Pure: it knows no socket and no clock, and says what is to be done.
struct PendingCommands<Waiter> {
    struct Entry {
        let identifier: UInt64
        /// Nil for a tombstone.
        var waiter: Waiter?
    }

    /// Commands that left in one write, and have one deadline therefore.
    private struct Batch {
        let deadline: UInt64
        var count: Int
    }

    enum ReplyAction {
        /// The reply belongs to this caller.
        case deliver(Waiter)
        /// The caller has gone.
        case drop
        /// No command asked for it. Redis says something of its own accord, such as that it has too many clients.
        case unsolicited
    }

    /// All that wait: first `overdueCount` whose deadline has passed, then those of `batches`, then the unsent.
    private var entries = CircularBuffer<Entry>()
    private var overdueCount = 0
    private var batches = CircularBuffer<Batch>()
    private var unsentCount = 0
    private let maximumCount: Int

    init(maximumCount: Int) { self.maximumCount = maximumCount }

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool { entries.count >= maximumCount }

    /// Whether a reply is missing whose caller was told that it is too late.
    var isOverdue: Bool { overdueCount > 0 }

    /// Whether a caller still waits for a reply.
    var hasWaiters: Bool { entries.contains { $0.waiter != nil } }

    /// The earliest deadline that has not passed yet, of what was sent.
    var nextDeadline: UInt64? { batches.first?.deadline }

    /// Takes the next place. Time does not run before ``sent(deadline:)``: what a command waits for on our side is not
    /// Redis' delay.
    mutating func append(_ waiter: Waiter, identifier: UInt64) {
        entries.append(Entry(identifier: identifier, waiter: waiter))
        unsentCount += 1
    }

    /// All that was appended leaves now, and should be answered by `deadline`: a moment on any monotonic scale.
    mutating func sent(deadline: UInt64) {
        guard unsentCount > 0 else { return }
        // In the order of the replies, even where one command is given less time than those before it.
        batches.append(Batch(deadline: max(deadline, batches.last?.deadline ?? 0), count: unsentCount))
        unsentCount = 0
    }

    mutating func replyArrived() -> ReplyAction {
        guard let head = entries.popFirst() else { return .unsolicited }
        if overdueCount > 0 {
            overdueCount -= 1
        } else if batches.isEmpty {
            unsentCount -= 1
        } else {
            batches[batches.startIndex].count -= 1
            if batches[batches.startIndex].count == 0 { batches.removeFirst() }
        }
        guard let waiter = head.waiter else { return .drop }
        return .deliver(waiter)
    }

    /// Turns all commands of that identifier into tombstones. Gives the callers to be told, who are none when all replies
    /// have come already.
    mutating func cancel(identifier: UInt64) -> [Waiter] {
        takeWaiters(0..<entries.count) { $0.identifier == identifier }
    }

    /// Turns the commands whose deadline is not later than `now` into tombstones. Gives the callers to be told.
    mutating func expire(now: UInt64) -> [Waiter] {
        let before = overdueCount
        while let batch = batches.first, batch.deadline <= now {
            overdueCount += batch.count
            batches.removeFirst()
        }
        guard overdueCount > before else { return [] }
        return takeWaiters(before..<overdueCount) { _ in true }
    }

    private mutating func takeWaiters(_ offsets: Range<Int>, where isMeant: (Entry) -> Bool) -> [Waiter] {
        var taken: [Waiter] = []
        for offset in offsets where isMeant(entries[offset: offset]) {
            if let waiter = entries[offset: offset].waiter.take() { taken.append(waiter) }
        }
        return taken
    }

    /// All waiters that are left, in order. Nothing is pending afterwards.
    mutating func removeAll() -> [Waiter] {
        defer {
            entries.removeAll()
            batches.removeAll()
            (overdueCount, unsentCount) = (0, 0)
        }
        return entries.compactMap(\.waiter)
    }
}
