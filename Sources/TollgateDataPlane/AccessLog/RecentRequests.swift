package import TollgateCore

/// A request as it is remembered for an operator who asks what became of it.
package struct RecentRequest: Sendable, Hashable {
    package let line: AccessLine

    /// When it ended.
    package let time: UnixTime

    package init(line: AccessLine, time: UnixTime) { (self.line, self.time) = (line, time) }
}

/// The last requests of one event loop. Bounded: a new one takes the place of the oldest.
struct RecentRequests: Sendable {
    /// Requests that an event loop remembers.
    static let capacity = 2048

    private var ring: [RecentRequest] = []

    /// How many there have ever been, and how many of them are told.
    private var count = 0
    private var told = 0

    mutating func add(_ request: RecentRequest) {
        if ring.count < Self.capacity { ring.append(request) } else { ring[count % Self.capacity] = request }
        count += 1
    }

    /// The newest first.
    var newestFirst: [RecentRequest] {
        (0..<ring.count).map { ring[(count - 1 - $0) % Self.capacity] }
    }

    /// Those since the last time, the newest first.
    mutating func takeUntold() -> [RecentRequest] {
        defer { told = count }
        return Array(newestFirst.prefix(count - told))
    }
}
