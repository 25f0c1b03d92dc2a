package import CoreMetrics
import PrometheusMetrics
import Hummingbird
import HummingbirdCore
package import Logging
package import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How many clients are connected, and whether one more may be.
package final class ConnectionCap: Sendable {
    private let budget: DescriptorBudget
    private let open = Atomic<Int>(0)
    private let refused: Counter
    private let logger: Logger
    private let lastLogged = Mutex(NIODeadline.uptimeNanoseconds(0))

    /// A flood of connections is not to become a flood of lines.
    private static let logInterval = TimeAmount.seconds(10)

    package init(budget: DescriptorBudget, metricsFactory: any MetricsFactory, logger: Logger) {
        self.budget = budget
        self.logger = logger
        refused = metricsFactory.counter(
            "tollgate_connections_refused",
            help: "Clients beyond TOLLGATE_MAX_CONNECTIONS, or when descriptors ran short.")
    }

    /// Counts `channel` until it is closed.
    ///
    /// - Returns: Whether it may stay.
    package func admits(_ channel: any Channel) -> Bool {
        let count = open.add(1, ordering: .relaxed).newValue
        channel.closeFuture.whenComplete { _ in self.open.subtract(1, ordering: .relaxed) }
        if count <= budget.clientConnections, !isReserved(channel) { return true }
        refused.increment()
        logRefusal(count: count)
        return false
    }

    /// Connections to upstreams may have taken more than their part.
    private func isReserved(_ channel: any Channel) -> Bool {
        let descriptor = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self, { $0 })
        return descriptor.flatMap { $0 }.map { Int($0) >= budget.reservedFrom } ?? false
    }

    private func logRefusal(count: Int) {
        let now = NIODeadline.now()
        let isDue = lastLogged.withLock { last in
            guard now - last >= Self.logInterval else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        logger.warning(
            "connections refused",
            metadata: [
                "open": "\(count)", "limit": "\(budget.clientConnections)",
                "remedy": "raise the limit of open files, or TOLLGATE_MAX_CONNECTIONS",
            ])
    }
}

/// Tells a client that has one connection too many, and hangs up.
final class RefusedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: ByteBuffer

    init(answer: ByteBuffer) { self.answer = answer }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Accepts no further connection while there are this many, those that are just being refused included.
package struct AcceptLimit: AvailableConnectionsDelegate {
    private let maximum: Int
    private var count = 0

    /// Refused clients whose connections may be about to close.
    package static let refusalsUnderWay = 16

    package init(maximum: Int) { self.maximum = maximum }

    package mutating func connectionOpened() { count += 1 }
    package mutating func connectionClosed() { count -= 1 }
    package func isAcceptingNewConnections() -> Bool { count < maximum }
}

/// Accepts nothing for a moment when the system has no descriptor or no memory for a connection, instead of trying
/// again at once and for ever; the clients wait in the queue of the port meanwhile.
package final class AcceptPause: ChannelDuplexHandler {
    package typealias InboundIn = any Channel
    package typealias InboundOut = any Channel
    package typealias OutboundIn = Never

    private static let length = TimeAmount.milliseconds(100)

    private var isPaused = false
    private var isReadHeld = false

    /// Has the port behind `channel` pause.
    package static func install(on channel: any Channel) async {
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(AcceptPause(), position: .first)
        }.get()
    }

    package func read(context: ChannelHandlerContext) {
        if isPaused { isReadHeld = true } else { context.read() }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch (error as? IOError)?.errnoCode {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: pause(context)
        // One client that has gone before it was accepted is no fault of the port.
        case ECONNABORTED: break
        default: context.fireErrorCaught(error)
        }
    }

    private func pause(_ context: ChannelHandlerContext) {
        guard !isPaused else { return }
        isPaused = true
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.length) {
            self.isPaused = false
            guard self.isReadHeld else { return }
            self.isReadHeld = false
            context.read()
        }
    }
}

@available(*, unavailable)
extension AcceptPause: Sendable {}
