/// How many connections one event loop keeps to one upstream, and for how long.
package struct PoolPolicy: Sendable, Hashable {
    /// Most connections to one upstream from one event loop, idle or busy.
    package var maximumConnections: Int

    /// Requests that may wait for a connection; the next one is refused.
    package var maximumWaiting: Int

    /// An unused connection is closed after this. It must be shorter than the upstream's own, or the upstream closes a
    /// connection in the moment a request is sent on it. Common upstreams wait 5 s (Node.js), 60 s (others).
    package var idleMilliseconds: UInt64

    /// A connection is not used again when it is older, so that a name that leads elsewhere by now is looked up.
    package var lifetimeMilliseconds: UInt64

    package init(
        maximumConnections: Int = 512, maximumWaiting: Int = 1024, idleMilliseconds: UInt64 = 4000,
        lifetimeMilliseconds: UInt64 = 600_000
    ) {
        self.maximumConnections = maximumConnections
        self.maximumWaiting = maximumWaiting
        self.idleMilliseconds = idleMilliseconds
        self.lifetimeMilliseconds = lifetimeMilliseconds
    }
}

/// The connections and the waiting requests of one pool. Pure: it says what is to be done; times are in nanoseconds of
/// a clock that never goes back.
struct PoolState<Connection: AnyObject, Waiter: AnyObject> {
    enum Request {
        case use(Connection)
        case wait
        case connectAndWait
        case refuse
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

    private let policy: PoolPolicy
    /// Oldest first; the youngest is used first, so that those that are not needed grow old.
    private var idle: [Idle] = []
    private var waiting: [(waiter: Waiter, since: UInt64)] = []
    private(set) var busyCount = 0
    private(set) var connectingCount = 0
    private(set) var isClosed = false

    init(policy: PoolPolicy) { self.policy = policy }

    var idleCount: Int { idle.count }
    var waitingCount: Int { waiting.count }
    private var count: Int { idle.count + busyCount + connectingCount }

    mutating func request(_ waiter: Waiter, at now: UInt64) -> Request {
        guard !isClosed else { return .refuse }
        // Those that are too old stay at the bottom for the timer.
        if let last = idle.last, isFresh(last, now), waiting.isEmpty {
            idle.removeLast()
            busyCount += 1
            return .use(last.connection)
        }
        guard waiting.count < policy.maximumWaiting else { return .refuse }
        waiting.append((waiter, now))
        guard connectingCount < waiting.count, count < policy.maximumConnections else { return .wait }
        connectingCount += 1
        return .connectAndWait
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
        return waiting.isEmpty ? nil : waiting.removeFirst().waiter
    }

    /// A busy connection is no longer used. A waiter that is given stays counted as a user of it.
    mutating func release(_ connection: Connection, isReusable: Bool, born: UInt64, at now: UInt64) -> Release {
        let isYoung = now < born + policy.lifetimeMilliseconds * 1_000_000
        guard isReusable, isYoung, !isClosed else {
            busyCount -= 1
            return .close
        }
        if !waiting.isEmpty { return .give(waiting.removeFirst().waiter) }
        busyCount -= 1
        idle.append(Idle(connection: connection, since: now, born: born))
        return .keep
    }

    /// Whether one more connection is to be opened for those who wait, after one has gone.
    mutating func shouldConnect() -> Bool {
        guard !isClosed, connectingCount < waiting.count, count < policy.maximumConnections else { return false }
        connectingCount += 1
        return true
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

    /// - Returns: Whether the waiter was there.
    mutating func cancel(_ waiter: Waiter) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.waiter === waiter }) else { return false }
        waiting.remove(at: index)
        return true
    }

    /// Since when the first of those who wait has waited.
    var longestWait: UInt64? { waiting.first?.since }

    /// Those who have waited since `moment` or longer; they wait no more.
    mutating func giveUp(since moment: UInt64) -> [Waiter] {
        let end = waiting.firstIndex { $0.since > moment } ?? waiting.endIndex
        defer { waiting.removeSubrange(..<end) }
        return waiting[..<end].map(\.waiter)
    }

    /// Nothing begins any more. Gives the idle connections, to be closed, and those who wait, to be told.
    mutating func close() -> (idle: [Connection], waiting: [Waiter]) {
        isClosed = true
        defer { (idle, waiting) = ([], []) }
        return (idle.map(\.connection), waiting.map(\.waiter))
    }
}
