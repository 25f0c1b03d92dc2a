import ConnectionFailures
import Hiredis
import NIOCore
import NIOSSL

/// What a channel tells its owner. Called on the event loop.
protocol RedisChannelDelegate: AnyObject {
    /// The channel is of no use any more. Told once, before the callers that wait for replies.
    func channelClosed(reason: String)
    /// The last pending reply has come.
    func channelDrained()
    func pendingCountChanged(_ count: Int)
    /// Replies are overdue: the callers that wait for them are told next. Told at each of the deadlines that pass.
    func repliesOverdue(on handler: RedisChannelHandler)
    /// Replies are overdue, and for as long as patience lasts nothing has come.
    func channelSilent(_ handler: RedisChannelHandler)
    /// Nothing is overdue any more.
    func channelRevived(_ handler: RedisChannelHandler)
}

extension RedisChannelDelegate {
    /// For one that has nothing to wait for: leaves the channel at once.
    func repliesOverdue(on handler: RedisChannelHandler) { handler.close(reason: RedisChannelHandler.overdueReason) }
    func channelSilent(_ handler: RedisChannelHandler) {}
    func channelRevived(_ handler: RedisChannelHandler) {}
}

/// One channel: hiredis is the codec, NIO moves the bytes. It belongs to the channel that it was added to and to no
/// other: an attempt to connect makes one for each address that it tries.
///
/// Commands of one tick of the event loop leave in one write, and their replies are matched by order. The deadline of a
/// command counts from that write, and what has arrived by then is read before a caller is told that it has timed out.
///
/// Confined to its event loop.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    static let overdueReason = "Redis did not answer in time"

    /// Bytes that Redis does not take off our hands. Above the upper mark new commands are refused, until there are fewer
    /// than the lower one again.
    static let writeBufferWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 256 * 1024, high: 1024 * 1024)

    /// How long a loop that is late itself may read before deadlines are applied.
    private static let maximumSecondLook: TimeAmount = .milliseconds(100)

    /// Takes what Redis says without having been asked. Nil where that is a breach of the protocol.
    var whenPushed: ((RedisReply) -> Void)?

    /// Nil until the channel is adopted, and for one that is no longer used.
    weak var delegate: (any RedisChannelDelegate)?
    private var context: ChannelHandlerContext?
    private var reader = ReplyReader()
    private var pending: PendingCommands<ReplyWaiter>
    private var liveness: PeerLiveness
    private var outgoing = OutgoingBytes()
    private var isFlushScheduled = false
    private var isWritable = true

    /// The longest of the commands that leave next.
    private var timeout = TimeAmount.zero
    private var deadlineCheck: (at: NIODeadline, task: Scheduled<Void>)?
    private var silenceCheck: Scheduled<Void>?
    private var closeReason: String?
    private var isRetired = false

    private let isClusterNode: Bool

    /// Whether an error reply of the server's was the reason to close.
    private(set) var wasToldWhy = false

    /// How often something was sent.
    private(set) var writeCount: UInt64 = 0

    /// - Parameter patience: How long a reply may be overdue without any sign of life.
    init(maximumPendingCommands: Int, patience: TimeAmount, isClusterNode: Bool) {
        pending = PendingCommands(maximumCount: maximumPendingCommands)
        liveness = PeerLiveness(patienceNanoseconds: UInt64(max(0, patience.nanoseconds)))
        self.isClusterNode = isClusterNode
    }

    var pendingCount: Int { pending.count }

    /// Whether a caller still waits for a reply.
    var hasWaiters: Bool { pending.hasWaiters }

    /// The server that the channel is connected to. Nil once it is gone.
    var remoteAddress: SocketAddress? { context?.channel.remoteAddress }

    /// Sends `command` and calls `waiter` once, with its reply or the reason why there is none.
    func send(
        _ command: RedisCommand, identifier: UInt64, timeout: TimeAmount,
        waiter: @escaping (Result<RedisReply, RedisError>) -> Void
    ) {
        send(command, identifier: identifier, timeout: timeout, waiter: .reply(waiter))
    }

    func send(_ command: RedisCommand, identifier: UInt64, timeout: TimeAmount, waiter: ReplyWaiter) {
        send(identifier: identifier, timeout: timeout, waiter: waiter) { outgoing throws(RedisError) in
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
        guard !pending.isFull, isWritable else { return waiter.fail(.queueFull) }
        do { try write(&outgoing.buffer) } catch { return waiter.fail(error) }
        pending.append(waiter, identifier: identifier)
        self.timeout = max(self.timeout, timeout)
        delegate?.pendingCountChanged(pending.count)
        scheduleFlush(context)
    }

    /// Tells the callers of all commands of that identifier that they are cancelled; the replies are dropped when they
    /// come.
    func cancel(identifier: UInt64) {
        for waiter in pending.cancel(identifier: identifier) { waiter.fail(.cancelled) }
    }

    /// Closes the channel; every caller that waits is told `reason`.
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
        silenceCheck?.cancel()
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
        guard let context, closeReason == nil, !outgoing.isEmpty else { return }
        let deadline = NIODeadline.now() + timeout
        timeout = .zero
        writeCount &+= 1
        pending.sent(deadline: deadline.uptimeNanoseconds)
        checkDeadline(noLaterThan: deadline, context)
        context.writeAndFlush(wrapOutboundOut(outgoing.buffer), promise: nil)
        outgoing.handedOver()
    }

    // MARK: Deadlines

    /// One timer a connection, not one a command: the head's deadline is the earliest of those in flight.
    private func checkDeadline(noLaterThan deadline: NIODeadline, _ context: ChannelHandlerContext) {
        if let scheduled = deadlineCheck {
            guard deadline < scheduled.at else { return }
            scheduled.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.deadlineCheck = nil
            self.deadlineIsDue()
        }
        deadlineCheck = (deadline, task)
    }

    private func deadlineIsDue() {
        guard let context, let next = pending.nextDeadline else { return }
        let (now, deadline) = (NIODeadline.now(), NIODeadline.uptimeNanoseconds(next))
        guard now >= deadline else { return checkDeadline(noLaterThan: deadline, context) }
        // The reply may lie in the socket, unread by a loop that had other things to do. The loop reads before it looks at
        // timers that lie ahead; the later it is, the further.
        let delay = max(.milliseconds(1), min(now - deadline, Self.maximumSecondLook))
        let task = context.eventLoop.assumeIsolated().scheduleTask(in: delay) {
            self.deadlineCheck = nil
            self.expire(now)
        }
        // Earlier than any other, so that none takes its place.
        deadlineCheck = (.distantPast, task)
    }

    /// Those whose deadline had passed at `moment` are told; the connection stays while there is life in it.
    private func expire(_ moment: NIODeadline) {
        guard let context else { return }
        let late = pending.expire(now: moment.uptimeNanoseconds)
        if pending.isOverdue {
            let now = NIODeadline.now()
            if liveness.overdue(now: now.uptimeNanoseconds) { checkSilence(now, context) }
            if let delegate {
                delegate.repliesOverdue(on: self)
            } else {
                end(Self.overdueReason, .timedOut)
            }
        }
        for waiter in late { waiter.fail(.timedOut) }
        guard closeReason == nil, let next = pending.nextDeadline else { return }
        checkDeadline(noLaterThan: .uptimeNanoseconds(next), context)
    }

    private func checkSilence(_ now: NIODeadline, _ context: ChannelHandlerContext) {
        switch liveness.checkSilence(now: now.uptimeNanoseconds) {
        case .none: break
        case .wait(let until):
            silenceCheck?.cancel()
            silenceCheck = context.eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(until)) {
                guard let context = self.context else { return }
                self.checkSilence(.now(), context)
            }
        case .begins: delegate?.channelSilent(self)
        }
    }

    private func heard() {
        guard closeReason == nil else { return }
        guard !pending.isOverdue else { return liveness.heard(now: NIODeadline.now().uptimeNanoseconds) }
        if liveness.caughtUp() {
            silenceCheck?.cancel()
            delegate?.channelRevived(self)
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
            if !liveness.isLive { heard() }
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
            wasToldWhy = error != nil
            return close(reason: error.map { "\($0)" } ?? "Redis sent a reply to no command")
        }
        if let error, error.endsConnection(toClusterNode: isClusterNode) {
            wasToldWhy = true
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

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(reason: ConnectionFailure(error).description)
    }
}

@available(*, unavailable)
extension RedisChannelHandler: Sendable {}
