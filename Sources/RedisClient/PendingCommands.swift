import NIOCore

/// The commands of one connection that have no reply yet, in the order in which they were sent: Redis answers in that
/// order, so the n-th reply belongs to the n-th command.
///
/// A cancelled caller leaves a tombstone: its place stays, its reply is dropped when it comes. Pure: it knows no
/// socket and no clock, and says what is to be done.
struct PendingCommands<Waiter> {
    struct Entry {
        let identifier: UInt64
        let deadline: UInt64
        /// Nil for a tombstone.
        var waiter: Waiter?
    }

    enum ReplyAction {
        /// The reply belongs to this caller.
        case deliver(Waiter)
        /// The caller has gone.
        case drop
        /// Nobody asked. Redis says something of its own accord, such as that it has too many clients.
        case unsolicited
    }

    enum DeadlineAction: Hashable {
        /// Nothing waits.
        case none
        /// Look again at this moment.
        case wait(until: UInt64)
        /// The head has waited too long. Everything behind it waits for the same stalled server: close.
        case stalled
    }

    private var entries = CircularBuffer<Entry>()
    private let maximumCount: Int

    init(maximumCount: Int) { self.maximumCount = maximumCount }

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool { entries.count >= maximumCount }

    /// Takes the next place. Deadlines are moments on any monotonic scale and never decrease from one to the next.
    mutating func append(_ waiter: Waiter, identifier: UInt64, deadline: UInt64) {
        entries.append(Entry(identifier: identifier, deadline: deadline, waiter: waiter))
    }

    mutating func replyArrived() -> ReplyAction {
        guard let head = entries.popFirst() else { return .unsolicited }
        guard let waiter = head.waiter else { return .drop }
        return .deliver(waiter)
    }

    /// Turns the command into a tombstone. Gives the caller to be told, or nil when its reply has come already.
    mutating func cancel(identifier: UInt64) -> Waiter? {
        guard let index = entries.firstIndex(where: { $0.identifier == identifier }) else { return nil }
        return entries[index].waiter.take()
    }

    func checkDeadline(now: UInt64) -> DeadlineAction {
        guard let head = entries.first else { return .none }
        return now >= head.deadline ? .stalled : .wait(until: head.deadline)
    }

    /// Everybody who still waits, in order. Nothing is pending afterwards.
    mutating func removeAll() -> [Waiter] {
        defer { entries.removeAll() }
        return entries.compactMap(\.waiter)
    }
}
