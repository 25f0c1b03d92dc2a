import Hiredis
import NIOCore

/// What one connection's channel tells whoever looks after it. Called on the event loop.
protocol RedisChannelDelegate: AnyObject {
    /// The channel is gone; everybody who waited on it has been told.
    func channelClosed(reason: String)
    /// The last pending reply has come.
    func channelDrained()
    func pendingCountChanged(_ count: Int)
}

/// One connection: hiredis is the codec, NIO moves the bytes.
///
/// Commands of one tick of the event loop leave in one write, and their replies are matched by order.
///
/// Confined to its event loop.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private weak var delegate: (any RedisChannelDelegate)?
    private var context: ChannelHandlerContext?
    private var reader = ReplyReader()
    private var pending: PendingCommands<ReplyWaiter>
    private var outgoing = ByteBuffer()
    private var isFlushScheduled = false
    private var deadlineCheck: (at: NIODeadline, task: Scheduled<Void>)?
    private var closeReason: String?

    init(maximumPendingCommands: Int, delegate: any RedisChannelDelegate) {
        pending = PendingCommands(maximumCount: maximumPendingCommands)
        self.delegate = delegate
    }

    var pendingCount: Int { pending.count }

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
    func close(reason: String) {
        guard let context, closeReason == nil else { return }
        closeReason = reason
        context.close(promise: nil)
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
        case .stalled:
            closeReason = "Redis did not answer in time"
            failAll(with: .timedOut)
            context.close(promise: nil)
        }
    }

    private func failAll(with error: RedisError) {
        let waiters = pending.removeAll()
        delegate?.pendingCountChanged(0)
        for waiter in waiters { waiter.fail(error) }
    }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        failAll(with: .connectionLost("the connection was closed"))
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
        let error = reply.error
        let action = pending.replyArrived()
        delegate?.pendingCountChanged(pending.count)
        switch action {
        case .deliver(let waiter):
            // An error reply is the command's failure.
            if let error { waiter.fail(RedisError(reply: error)) } else { waiter.succeed(reply) }
        case .drop: break
        case .unsolicited: return close(reason: error ?? "Redis sent something that nobody had asked for")
        }
        if let error, error.hasPrefix("READONLY") {
            // A failover has turned this server into a replica: the name may lead to the new primary by now.
            return close(reason: error)
        }
        if pending.isEmpty { delegate?.channelDrained() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let reason = closeReason ?? "Redis closed the connection"
        closeReason = reason
        deadlineCheck?.task.cancel()
        failAll(with: .connectionLost(reason))
        delegate?.channelClosed(reason: reason)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(reason: "\(error)")
    }
}

@available(*, unavailable)
extension RedisChannelHandler: Sendable {}
