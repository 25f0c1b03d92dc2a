import Hiredis
import NIOCore
import NIOSSL

/// What a channel tells its owner. Called on the event loop.
protocol RedisChannelDelegate: AnyObject {
    /// The channel is of no use any more. Told once, before those who wait for replies.
    func channelClosed(reason: String)
    /// The last pending reply has come.
    func channelDrained()
    func pendingCountChanged(_ count: Int)
}

/// One channel: hiredis is the codec, NIO moves the bytes. It belongs to the channel that it was added to and to no
/// other: an attempt to connect makes one for each address that it tries.
///
/// Commands of one tick of the event loop leave in one write, and their replies are matched by order.
///
/// Confined to its event loop.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Takes what Redis says without having been asked. Nil where that is a breach of the protocol.
    var whenPushed: ((RedisReply) -> Void)?

    /// Nil until the channel is adopted, and for one that is no longer used.
    weak var delegate: (any RedisChannelDelegate)?
    private var context: ChannelHandlerContext?
    private var reader = ReplyReader()
    private var pending: PendingCommands<ReplyWaiter>
    private var outgoing = ByteBuffer()
    private var isFlushScheduled = false
    private var deadlineCheck: (at: NIODeadline, task: Scheduled<Void>)?
    private var closeReason: String?
    private var isRetired = false

    private let isClusterNode: Bool

    init(maximumPendingCommands: Int, isClusterNode: Bool) {
        pending = PendingCommands(maximumCount: maximumPendingCommands)
        self.isClusterNode = isClusterNode
    }

    var pendingCount: Int { pending.count }

    /// Whom the channel is connected to. Nil once it is gone.
    var remoteAddress: SocketAddress? { context?.channel.remoteAddress }

    /// Sends `command` and calls `waiter` once, with its reply or the reason why there is none.
    func send(
        _ command: RedisCommand, identifier: UInt64, timeout: TimeAmount,
        waiter: @escaping (Result<RedisReply, RedisError>) -> Void
    ) {
        send(identifier: identifier, timeout: timeout, waiter: .reply(waiter)) { outgoing throws(RedisError) in
            do throws(CommandTooLong) {
                // Unsafe: the bytes are copied before the closure returns.
                _ = try unsafe command.withEncoded { bytes in unsafe outgoing.writeBytes(bytes) }
            } catch {
                throw .commandTooLong(byteCount: error.byteCount)
            }
        }
    }

    /// Sends the one command that `write` appends to the bytes that leave next. `waiter` is told once.
    func send(
        identifier: UInt64, timeout: TimeAmount, waiter: ReplyWaiter,
        write: (inout ByteBuffer) throws(RedisError) -> Void
    ) {
        guard let context, closeReason == nil else {
            return waiter.fail(.notConnected("the connection is closing"))
        }
        guard !pending.isFull else { return waiter.fail(.queueFull) }
        do { try write(&outgoing) } catch { return waiter.fail(error) }
        let deadline = NIODeadline.now() + timeout
        pending.append(waiter, identifier: identifier, deadline: deadline.uptimeNanoseconds)
        delegate?.pendingCountChanged(pending.count)
        scheduleFlush(context)
        checkDeadline(noLaterThan: deadline, context)
    }

    /// Tells the caller of a command that it is cancelled; the reply is dropped when it comes.
    func cancel(identifier: UInt64) {
        pending.cancel(identifier: identifier)?.fail(.cancelled)
    }

    /// Closes the channel; everybody who waits is told `reason`.
    func close(reason: String) { end(reason, .connectionLost(reason)) }

    /// Another channel takes its place: closes when the replies to what was sent are there.
    func retire() {
        delegate = nil
        isRetired = true
        if pending.isEmpty { close(reason: "another connection has taken its place") }
    }

    /// Nothing waits for the channel itself to be gone, which over TLS takes as long as the other side likes.
    private func end(_ reason: String, _ error: RedisError) {
        guard closeReason == nil else { return }
        closeReason = reason
        deadlineCheck?.task.cancel()
        let delegate = delegate
        self.delegate = nil
        delegate?.channelClosed(reason: reason)
        for waiter in pending.removeAll() { waiter.fail(error) }
        context?.close(promise: nil)
    }

    private func scheduleFlush(_ context: ChannelHandlerContext) {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func flush() {
        isFlushScheduled = false
        guard let context, outgoing.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
        // Where the write went straight to the socket nobody else holds the storage, and it is used again.
        outgoing.clear()
    }

    /// One timer a connection, not one a command: the head's deadline is the earliest of those in flight.
    private func checkDeadline(noLaterThan deadline: NIODeadline, _ context: ChannelHandlerContext) {
        if let scheduled = deadlineCheck {
            guard deadline < scheduled.at else { return }
            scheduled.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.deadlineCheck = nil
            self.checkDeadline()
        }
        deadlineCheck = (deadline, task)
    }

    private func checkDeadline() {
        guard let context else { return }
        switch pending.checkDeadline(now: NIODeadline.now().uptimeNanoseconds) {
        case .none: break
        case .wait(let until): checkDeadline(noLaterThan: .uptimeNanoseconds(until), context)
        case .stalled: end("Redis did not answer in time", .timedOut)
        }
    }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        close(reason: "the connection was closed")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        do {
            // Unsafe: hiredis copies the bytes before the closure returns.
            try unsafe buffer.withUnsafeReadableBytes { bytes in try unsafe reader.feed(bytes) }
            while closeReason == nil, let reply = try reader.nextParsed() { receive(reply) }
        } catch {
            let reason = (error as? ProtocolViolation)?.reason ?? "\(error)"
            close(reason: "what came is not Redis' protocol: \(reason)")
        }
    }

    private func receive(_ reply: borrowing ParsedReply) {
        let error = reply.error.map { RedisError(reply: $0) }
        let action = pending.replyArrived()
        delegate?.pendingCountChanged(pending.count)
        switch action {
        case .deliver(let waiter):
            // An error reply is the command's failure.
            if let error { waiter.fail(error) } else { waiter.succeed(reply) }
        case .drop: break
        case .unsolicited:
            if error == nil, let whenPushed { return whenPushed(reply.copied()) }
            return close(reason: error.map { "\($0)" } ?? "Redis sent something that nobody had asked for")
        }
        if let error, error.endsConnection(toClusterNode: isClusterNode) {
            // Such as a replica since a failover: the name may lead to the new primary by now.
            return close(reason: "\(error)")
        }
        guard pending.isEmpty else { return }
        if isRetired { close(reason: "another connection has taken its place") }
        delegate?.channelDrained()
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(reason: "Redis closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(reason: Self.reason(error))
    }

    /// NIOSSL tells no address that it has looked for in vain.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? NIOSSLExtraError, error == .failedToValidateHostname else { return "\(error)" }
        return "the server's certificate does not name the host that was connected to: connect by a name that it has"
    }
}

@available(*, unavailable)
extension RedisChannelHandler: Sendable {}
