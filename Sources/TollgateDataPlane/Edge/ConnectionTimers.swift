import NIOCore

/// The open connections of one event loop, each with the moment at which it has to be looked at, and one timer for all.
///
/// Confined to its event loop.
final class ConnectionTimers {
    private let eventLoop: any EventLoop
    private var queue = DeadlineQueue<PublicConnection>()
    private var timer: Scheduled<Void>?

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// All that are open.
    var connections: [PublicConnection] { queue.members }

    /// Has `connection` told when it is `deadline`; instead of any earlier wish.
    func wake(_ connection: PublicConnection, at deadline: NIODeadline) {
        arm(queue.wait(connection, until: deadline))
    }

    /// `connection` is closed.
    func remove(_ connection: PublicConnection) { queue.remove(connection) }

    private func arm(_ deadline: NIODeadline?) {
        guard let deadline else { return }
        // Rare: only where a connection has to be looked at before all others.
        timer?.cancel()
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in self?.fire() }
    }

    private func fire() {
        timer = nil
        queue.sweepBegan()
        let now = NIODeadline.now()
        while let connection = queue.next(at: now) { connection.timePassed() }
        arm(queue.sweepEnded())
    }
}

@available(*, unavailable)
extension ConnectionTimers: Sendable {}
