/// A connection as a pool knows it.
protocol PooledConnection: AnyObject {
    /// Whose request it carries, if that is counted. The pool's own note.
    var client: ClientShare? { get set }
}

/// The connections and the waiting requests of one pool. Pure: it says what is to be done; times are in nanoseconds of
/// a clock that never goes back.
///
/// A request has a *claim* while it holds a connection or waits in the queue for one. A client that has as many claims
/// as it can have waits for itself: its further requests are held back until one of its claims ends, and take no place
/// in the queue, so that others pass them.
struct PoolState<Connection: PooledConnection, Waiter> {
    enum Request {
        case use(Connection)
        case wait
        case connectAndWait
        case refuse
        /// The client holds its whole share, and as many of its requests wait for it as may.
        case refuseClient
    }

    enum Release {
        case give(Waiter)
        case keep
        case close
    }

    private struct Idle {
        let connection: Connection
        let since: UInt64
        let born: UInt64
    }

    private struct Waiting {
        let waiter: Waiter
        /// How long it waits for an attempt to begin, and then for a connection.
        let patience: UInt64
        var deadline: UInt64
        let client: ClientShare?
        var wasHeldBack = false
        /// An attempt is under way for it, and its deadline counts from the beginning of that.
        var isConnecting = false
    }

    /// Those that have waited for too long, by what they waited for.
    struct TimedOutWaiters {
        /// A connection: the upstream has not taken it in the time that it had.
        var connecting: [Waiter] = []
        /// A place in the pool. This and the next say nothing about the upstream.
        var queued: [Waiter] = []
        /// Their own client's share.
        var heldBack: [Waiter] = []
    }

    private let policy: PoolPolicy
    /// Oldest first; the youngest is used first, so that those that are not needed grow old.
    private var idle: [Idle] = []
    private var queue: [Waiting] = []
    private var claims: [ClientShare: Int] = [:]
    private var heldBack: [ClientShare: [Waiting]] = [:]
    private var heldBackCount = 0
    private(set) var busyCount = 0
    private(set) var connectingCount = 0
    private(set) var isClosed = false

    init(policy: PoolPolicy) { self.policy = policy }

    var idleCount: Int { idle.count }
    var waitingCount: Int { queue.count + heldBackCount }
    private var count: Int { idle.count + busyCount + connectingCount }

    /// - Parameters:
    ///   - deadline: Until when it would wait. When an attempt begins for it, it waits as long again.
    ///   - client: Whose request it is; asked only when the pool is crowded enough to count. Nil is never limited.
    mutating func request(
        _ waiter: Waiter, deadline: UInt64, at now: UInt64, client: () -> ClientShare? = { nil }
    ) -> Request {
        guard !isClosed else { return .refuse }
        let client = busyCount + queue.count >= policy.uncounted ? client() : nil
        let waiting = Waiting(
            waiter: waiter, patience: deadline - min(now, deadline), deadline: deadline, client: client)
        if let client, claims[client, default: 0] >= policy.countedConnections { return holdBack(waiting, of: client) }
        // Those that are too old stay at the bottom for the timer.
        if let last = idle.last, isFresh(last, now), queue.isEmpty {
            idle.removeLast()
            busyCount += 1
            claim(client)
            last.connection.client = client
            return .use(last.connection)
        }
        guard waitingCount < policy.maximumWaiting else { return .refuse }
        claim(client)
        queue.append(waiting)
        return shouldConnect(at: now) ? .connectAndWait : .wait
    }

    private mutating func holdBack(_ waiting: Waiting, of client: ClientShare) -> Request {
        guard heldBack[client, default: []].count < policy.clientWaiting else { return .refuseClient }
        guard waitingCount < policy.maximumWaiting else { return .refuse }
        var waiting = waiting
        waiting.wasHeldBack = true
        heldBack[client, default: []].append(waiting)
        heldBackCount += 1
        return .wait
    }

    private mutating func claim(_ client: ClientShare?) { if let client { claims[client, default: 0] += 1 } }

    /// A claim has ended: the first request that its client has held back takes a place in the queue.
    private mutating func unclaim(_ client: ClientShare?) {
        guard let client, let count = claims[client] else { return }
        if var waiting = heldBack[client] {
            queue.append(waiting.removeFirst())
            heldBack[client] = waiting.isEmpty ? nil : waiting
            heldBackCount -= 1
        } else {
            claims[client] = count > 1 ? count - 1 : nil
        }
    }

    private func isFresh(_ entry: Idle, _ now: UInt64) -> Bool {
        now < entry.since + policy.idleMilliseconds * 1_000_000
            && now < entry.born + policy.lifetimeMilliseconds * 1_000_000
    }

    /// A connection stands.
    mutating func connected(_ connection: Connection, at now: UInt64) -> Release {
        connectingCount -= 1
        busyCount += 1
        return release(connection, isReusable: true, born: now, at: now)
    }

    /// An attempt has failed. Gives the waiter that is to be told.
    mutating func connectFailed() -> Waiter? {
        connectingCount -= 1
        guard !queue.isEmpty else { return nil }
        let first = queue.removeFirst()
        unclaim(first.client)
        return first.waiter
    }

    /// An attempt took too long. Those who wait have deadlines of their own.
    mutating func connectTimedOut() { connectingCount -= 1 }

    /// A busy connection is no longer used. A waiter that is given stays counted as a user of it.
    mutating func release(_ connection: Connection, isReusable: Bool, born: UInt64, at now: UInt64) -> Release {
        unclaim(connection.client)
        connection.client = nil
        let isYoung = now < born + policy.lifetimeMilliseconds * 1_000_000
        guard isReusable, isYoung, !isClosed else {
            busyCount -= 1
            return .close
        }
        if !queue.isEmpty {
            let first = queue.removeFirst()
            connection.client = first.client
            beginConnectTimes(at: now)
            return .give(first.waiter)
        }
        busyCount -= 1
        idle.append(Idle(connection: connection, since: now, born: born))
        return .keep
    }

    /// Whether one more connection is to be opened for those who wait; it counts as begun.
    mutating func shouldConnect(at now: UInt64) -> Bool {
        let connects = !isClosed && connectingCount < queue.count && count < policy.maximumConnections
        if connects { connectingCount += 1 }
        beginConnectTimes(at: now)
        return connects
    }

    /// The attempts under way are for the first in the queue: those for whom one is there only now begin to wait for the
    /// upstream, and have the whole connect time for it, however long they waited for their place.
    private mutating func beginConnectTimes(at now: UInt64) {
        // Those who have theirs already are the first of all, so the search ends where they do.
        var index = min(connectingCount, queue.count) - 1
        while index >= 0, !queue[index].isConnecting {
            let (deadline, isBeyond) = now.addingReportingOverflow(queue[index].patience)
            queue[index].deadline = isBeyond ? .max : deadline
            queue[index].isConnecting = true
            index -= 1
        }
    }

    /// An idle connection was closed by the other side.
    mutating func idleClosed(_ connection: Connection) {
        idle.removeAll { $0.connection === connection }
    }

    /// The connections that have been idle for too long; they are out of the pool.
    mutating func expire(at now: UInt64) -> [Connection] {
        let firstFresh = idle.firstIndex { isFresh($0, now) } ?? idle.endIndex
        defer { idle.removeSubrange(..<firstFresh) }
        return idle[..<firstFresh].map(\.connection)
    }

    /// The idle connections that are not to be used again; they are out of the pool.
    mutating func removeIdle(where isUnwanted: (Connection) -> Bool) -> [Connection] {
        let unwanted = idle.map(\.connection).filter(isUnwanted)
        for connection in unwanted { idleClosed(connection) }
        return unwanted
    }

    /// - Returns: Whether the waiter was there.
    mutating func cancel(where isCancelled: (Waiter) -> Bool) -> Bool {
        if let index = queue.firstIndex(where: { isCancelled($0.waiter) }) {
            unclaim(queue.remove(at: index).client)
            return true
        }
        return !removeHeldBack { isCancelled($0.waiter) }.isEmpty
    }

    /// Those whose deadline has come; they wait no more.
    mutating func giveUp(at now: UInt64) -> TimedOutWaiters {
        var late = TimedOutWaiters(heldBack: removeHeldBack { $0.deadline <= now })
        let queued = queue.filter { $0.deadline <= now }
        guard !queued.isEmpty else { return late }
        queue.removeAll { $0.deadline <= now }
        for waiting in queued {
            unclaim(waiting.client)
            if waiting.isConnecting {
                late.connecting.append(waiting.waiter)
            } else if waiting.wasHeldBack {
                late.heldBack.append(waiting.waiter)
            } else {
                late.queued.append(waiting.waiter)
            }
        }
        return late
    }

    private mutating func removeHeldBack(where isRemoved: (Waiting) -> Bool) -> [Waiter] {
        var removed: [Waiter] = []
        for (client, waiting) in heldBack {
            let taken = waiting.filter(isRemoved)
            guard !taken.isEmpty else { continue }
            let rest = waiting.filter { !isRemoved($0) }
            heldBack[client] = rest.isEmpty ? nil : rest
            removed += taken.map(\.waiter)
        }
        heldBackCount -= removed.count
        return removed
    }

    /// Nothing begins any more. Gives the idle connections, to be closed, and those who wait, to be told.
    mutating func close() -> (idle: [Connection], waiting: [Waiter]) {
        isClosed = true
        let waiting = queue + heldBack.values.joined()
        defer { (idle, queue, heldBack, heldBackCount) = ([], [], [:], 0) }
        return (idle.map(\.connection), waiting.map(\.waiter))
    }
}
