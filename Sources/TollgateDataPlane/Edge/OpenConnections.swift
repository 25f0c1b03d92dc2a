package import NIOCore

/// The clients' connections of a worker, which end one by one when it shuts down. Each event loop keeps its own, so that
/// opening and closing one costs the same however many there are.
package final class OpenConnections: Sendable {
    private let loops: [LoopConnections]

    package init(eventLoopGroup: any EventLoopGroup) {
        loops = eventLoopGroup.makeIterator().map { LoopConnections(eventLoop: $0) }
    }

    /// Those of one event loop of the worker.
    func on(_ eventLoop: any EventLoop) -> LoopConnections {
        guard let loop = loops.first(where: { $0.eventLoop === eventLoop }) else {
            preconditionFailure("a connection's event loop is one of the worker's")
        }
        return loop
    }

    /// How many are open.
    package func count() async -> Int {
        var count = 0
        for loop in loops { count += (try? await loop.eventLoop.submit { loop.count }.get()) ?? 0 }
        return count
    }

    /// Has those end that are idle, and the others after their answer; returns when none is open any more. To be called
    /// once, when no more can come.
    package func quiesce() async {
        let ends = loops.map { loop in loop.eventLoop.flatSubmit { loop.quiesce() } }
        for end in ends { try? await end.get() }
    }

    /// Ends all at once.
    package func close() {
        for loop in loops { loop.eventLoop.execute { loop.close() } }
    }
}

/// The clients' connections of one event loop. Confined to it.
final class LoopConnections: Sendable {
    private struct State {
        let timers: ConnectionTimers
        var count = 0

        /// Kept once the worker shuts down.
        var whenNoneIsOpen: EventLoopPromise<Void>?
    }

    let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        state = .makeBoxSendingValue(State(timers: ConnectionTimers(eventLoop: eventLoop)), eventLoop: eventLoop)
    }

    var timers: ConnectionTimers { state.value.timers }

    /// How many are open, those that are being refused included.
    var count: Int { state.value.count }

    /// Counts `channel` until it is closed.
    func opened(_ channel: any Channel) {
        state.value.count += 1
        channel.closeFuture.whenComplete { _ in self.closed() }
        guard state.value.whenNoneIsOpen != nil else { return }
        // It came in the very moment in which the port closed, and has no handler yet.
        eventLoop.execute { self.endIdle() }
    }

    private func closed() {
        state.value.count -= 1
        if state.value.count == 0 { state.value.whenNoneIsOpen?.succeed() }
    }

    func quiesce() -> EventLoopFuture<Void> {
        let whenNoneIsOpen = eventLoop.makePromise(of: Void.self)
        state.value.whenNoneIsOpen = whenNoneIsOpen
        endIdle()
        if count == 0 { whenNoneIsOpen.succeed() }
        return whenNoneIsOpen.futureResult
    }

    private func endIdle() { for connection in timers.connections { connection.quiesce() } }

    func close() { for connection in timers.connections { connection.close() } }
}
