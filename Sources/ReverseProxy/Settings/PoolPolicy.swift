/// How many connections one event loop keeps to one upstream, and for how long.
package struct PoolPolicy: Sendable, Hashable {
    /// Most connections to one upstream from one event loop, idle or busy.
    package var maximumConnections: Int

    /// Requests that may wait for a connection; the next one is refused.
    package var maximumWaiting: Int

    /// An unused connection is closed after this. It must be shorter than the upstream's own, or the upstream closes a
    /// connection in the moment a request is sent on it. Common upstreams wait 5 s (Node.js), 60 s (others).
    package var idleMilliseconds: UInt64

    /// A connection is not used again when it is older.
    var lifetimeMilliseconds: UInt64

    /// A name is looked up again after this, and when a connection fails. Connections to an address that it has no more
    /// are not used again.
    var lookupMilliseconds: UInt64

    /// The share of ``maximumConnections``, and of ``maximumWaiting``, that one client can hold. 100 sets no limit.
    package var clientSharePercent: Int

    package init(
        maximumConnections: Int = 512, maximumWaiting: Int = 1024, idleMilliseconds: UInt64 = 4000,
        lifetimeMilliseconds: UInt64 = 600_000, lookupMilliseconds: UInt64 = 30_000, clientSharePercent: Int = 100
    ) {
        self.maximumConnections = maximumConnections
        self.maximumWaiting = maximumWaiting
        self.idleMilliseconds = idleMilliseconds
        self.lifetimeMilliseconds = lifetimeMilliseconds
        self.lookupMilliseconds = lookupMilliseconds
        self.clientSharePercent = clientSharePercent
    }

    /// No client's requests are counted while fewer than this are in a pool, so that one that is not crowded costs
    /// nothing. A client may hold as many that were not counted.
    var uncounted: Int {
        clientSharePercent < 100 ? min(maximumConnections / 8, clientConnections / 2) : Int.max
    }

    /// Connections that one client can hold, or have a place in the queue for.
    var clientConnections: Int { max(1, maximumConnections * clientSharePercent / 100) }

    /// Those of them that are counted.
    var countedConnections: Int { clientConnections - uncounted }

    /// Requests of one client that can wait for its own connections.
    var clientWaiting: Int { max(1, maximumWaiting * clientSharePercent / 100) }
}

/// Whose requests are counted together: one client, as far as one can be told from another.
package struct ClientShare: Sendable, Hashable {
    private let number: UInt64

    package init(_ number: UInt64) { self.number = number }
}
