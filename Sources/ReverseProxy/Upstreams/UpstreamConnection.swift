import ConnectionFailures
import HTTPWire
import NIOCore
import NIOSSL
import NIOTLS

/// One HTTP/1.1 connection to an upstream, used by one exchange at a time: the handler of one channel, and of no other.
/// What is to be done is decided by ``UpstreamConnectionState``.
///
/// Confined to its event loop.
final class UpstreamConnection: ChannelInboundHandler, RemovableChannelHandler, PooledConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// When the connection stood, in nanoseconds.
    var born: UInt64 = 0

    /// The ``AddressBook/generation`` in which its address was last found among the name's.
    var addressGeneration: Int
    var client: ClientShare?
    private let pool: UpstreamPool
    private let eventLoop: any EventLoop
    private var state = UpstreamConnectionState<any ConnectionUser>()
    private var context: ChannelHandlerContext?
    private var whenSecure: ((Result<Void, ProxyError>) -> Void)?
    private var timer: (at: NIODeadline, task: Scheduled<Void>)?

    /// Something was written that was not flushed.
    private var hasUnsent = false

    init(pool: UpstreamPool, eventLoop: any EventLoop, addressGeneration: Int) {
        self.pool = pool
        self.eventLoop = eventLoop
        self.addressGeneration = addressGeneration
    }

    var isClosed: Bool { state.isClosed }

    /// Where it leads.
    var remoteAddress: SocketAddress? { context?.channel.remoteAddress }

    /// Calls `tell` once the TLS handshake is over, which it may be already.
    func whenSecure(_ tell: @escaping (Result<Void, ProxyError>) -> Void) {
        if let security = state.security { return tell(security) }
        whenSecure = tell
    }

    // MARK: Use by an exchange

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func begin(_ exchange: any ConnectionUser, isHead: Bool) { state.begin(exchange, isHead: isHead) }

    func send(_ bytes: ByteBuffer) {
        hasUnsent = true
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    /// What was sent leaves.
    func flush() {
        guard hasUnsent else { return }
        hasUnsent = false
        context?.flush()
    }

    /// A part of a body.
    func send(_ bytes: ByteBuffer, isChunked: Bool) {
        guard isChunked else { return send(bytes) }
        // A chunk without bytes would be the last one.
        guard bytes.readableBytes > 0 else { return }
        var size = ByteBuffer()
        size.writeChunkSize(bytes.readableBytes)
        send(size)
        send(bytes)
        send(Self.lineEnd)
    }

    func sendLastChunk(_ trailers: FieldSection) {
        var end = ByteBuffer()
        end.writeLastChunk(trailers: trailers) { HeaderFilter.passesInTrailers($0, of: trailers) }
        send(end)
    }

    private static let lineEnd = ByteBuffer(staticString: "\r\n")

    /// The exchange is over. The connection goes back to the pool unless something about it is not clean.
    func end(isReusable: Bool) {
        if state.end(isReusable: isReusable) { close() }
    }

    /// The exchange that was to use the connection has ended meanwhile.
    func becameUnused() {
        state.becameIdle()
        pool.release(self, isReusable: true)
    }

    func close() {
        switch state.close() {
        case .none: return
        case .idle: pool.idleClosed(self)
        case .busy: pool.busyClosed(self)
        case .connecting: whenSecure.take()?(.failure(UpstreamConnectionState<any ConnectionUser>.closedBeforeUse))
        }
        cancelTimer()
        context?.close(promise: nil)
    }

    /// There is room for more of the answer.
    func readMore() {
        if let context, state.beginRead() { context.read() }
    }

    /// The pool has parked the connection.
    func becameIdle() {
        state.becameIdle()
        readMore()
    }

    /// One timer a connection, which is left running from one request to the next: when it fires it asks what is to be
    /// waited for now.
    func checkDeadline(noLaterThan deadline: NIODeadline) {
        if let timer {
            guard deadline < timer.at else { return }
            timer.task.cancel()
        }
        let task = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            guard let next = self.state.user?.deadline(now: .now()) else { return }
            self.checkDeadline(noLaterThan: next)
        }
        timer = (deadline, task)
    }

    private func cancelTimer() {
        timer?.task.cancel()
        timer = nil
    }

    /// Leaves bytes alone from now on.
    ///
    /// - Parameter tunnel: Its end stands between the bytes and this handler.
    func becomeTunnel(_ tunnel: Tunnel) throws {
        guard let context, let early = state.becomeTunnel() else { throw ChannelError.ioOnClosedChannel }
        cancelTimer()
        // An upstream that ends its half of the tunnel may still be sent to.
        try context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        try context.pipeline.syncOperations.addHandler(tunnel.end(.upstream), position: .before(self))
        if early.readableBytes > 0 { tunnel.take(early, from: .upstream) }
    }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { readMore() }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        readMore()
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            state.secured()
            whenSecure.take()?(.success(()))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state.received(unwrapInboundIn(data)) else { return close() }
        do {
            while let part = try state.next() {
                switch part {
                case .head(let head): state.user?.upstreamSent(head)
                case .body(let bytes): state.user?.upstreamSent(bytes)
                case .end(let trailers): state.user?.upstreamEnded(trailers)
                }
            }
        } catch {
            state.user?.upstreamFailed(.malformed(error.rawValue))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch state.readCompleted() {
        case .nothing: break
        case .read: readMore()
        case .ask(let user): if user.upstreamPaused() { readMore() }
        case .release(let isReusable): pool.release(self, isReusable: isReusable)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        state.user?.upstreamWritabilityChanged(isWritable: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch state.failed() {
        case .handshake:
            whenSecure.take()?(.failure(.badGateway(.tlsFailed(ConnectionFailure(error).description))))
            close()
        case .tell(let user): user.upstreamFailed(UpstreamFault(error))
        case .close: close()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        switch state.inputEnded() {
        case .nothing: break
        case .end(let user): user.upstreamEnded(.none)
        case .tell(let user, let fault): user.upstreamFailed(fault)
        }
        close()
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension UpstreamConnection: Sendable {}

extension UpstreamFault {
    init(_ error: any Error) {
        self = error is IOError || error is ChannelError || error is NIOSSLError ? .closed : .malformed("\(error)")
    }
}
