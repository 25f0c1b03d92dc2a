package import NIOCore
import NIOPosix
import Synchronization
package import TollgateCore
package import TollgateStore

/// Counts the calls of each user, on the way of every request: an event loop counts for itself, so that no request waits
/// for another's.
package final class CallerCounts: Sendable {
    /// Users that are told of at a time.
    package static let maximumTaken = 100

    /// What one event loop has counted. Its lock is free but for the moment when the counts are taken.
    private final class LoopCounts: Sendable {
        /// Nil for what is counted on none of them.
        let eventLoop: (any EventLoop)?
        let callers = Mutex(HeavyCallers())

        init(eventLoop: (any EventLoop)?) { self.eventLoop = eventLoop }
    }

    private let loops: [LoopCounts]
    private let elsewhere = LoopCounts(eventLoop: nil)

    package init(eventLoopGroup: any EventLoopGroup) {
        loops = eventLoopGroup.makeIterator().map { LoopCounts(eventLoop: $0) }
    }

    /// Counts a call of `user`. Any thread.
    package func count(_ user: UserID) {
        let eventLoop = MultiThreadedEventLoopGroup.currentEventLoop
        let counts = eventLoop == nil ? elsewhere : loops.first { $0.eventLoop === eventLoop } ?? elsewhere
        counts.callers.withLock { $0.count(user) }
    }

    /// Those who called most since the last time, most first.
    package func take() -> [UserCalls] {
        var calls: [UserID: Int] = [:]
        for counts in loops + [elsewhere] {
            for taken in Self.take(from: counts) { calls[taken.userID, default: 0] += taken.calls }
        }
        return
            calls.sorted { ($1.value, $0.key.value) < ($0.value, $1.key.value) }.prefix(Self.maximumTaken)
            .map { UserCalls(userID: $0.key, calls: $0.value) }
    }

    private static func take(from counts: LoopCounts) -> [UserCalls] {
        guard counts.callers.withLock({ !$0.isEmpty }) else { return [] }
        // Room is made before the lock is held.
        var taken = HeavyCallers()
        counts.callers.withLock { swap(&$0, &taken) }
        return taken.calls
    }
}
