import HTTPWire
import NIOCore
import NIOSSL
import NIOTLS

/// One HTTP/1.1 connection to an upstream, used by one exchange at a time: the handler of one channel, and of no other.
///
/// It reads only when what it reads has a place to go, and always while it is idle, to see the upstream hang up.
///
/// Confined to its event loop.
final class UpstreamConnection: ChannelInboundHandler, RemovableChannelHandler, PooledConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case connecting
        case idle
        case busy
        /// The answer is complete; the connection is free when all that came with it has been seen.
        case ending(isReusable: Bool)
        case tunnel
        case closed
    }

    /// When the connection stood, in nanoseconds.
    var born: UInt64 = 0

    /// The ``AddressBook/generation`` in which its address was last found among the name's.
    var addressGeneration: Int
    var client: ClientShare?
    private let pool: UpstreamPool
    private let eventLoop: any EventLoop
    private var state = State.connecting
    private var context: ChannelHandlerContext?
    private var user: ProxyExchange?
    private var whenSecure: ((Result<Void, ProxyError>) -> Void)?
    private var security: Result<Void, ProxyError>?
    private var timer: (at: NIODeadline, task: Scheduled<Void>)?
    private var isReadOutstanding = false

    // The answer that is being read.
    private var inbound = ByteBuffer()
    private var scanner = HeadScanner(limitBytes: maximumHeadBytes)
    private var body: BodyReader?
    private var isAnswerToHead = false

    /// The largest head of an answer.
    private static let maximumHeadBytes = 256 * 1024
    private static let maximumFields = 500

    init(pool: UpstreamPool, eventLoop: any EventLoop, addressGeneration: Int) {
        self.pool = pool
        self.eventLoop = eventLoop
        self.addressGeneration = addressGeneration
    }

    var isClosed: Bool { if case .closed = state { true } else { false } }

    /// Where it leads.
    var remoteAddress: SocketAddress? { context?.channel.remoteAddress }

    /// Calls `tell` once the TLS handshake is over, which it may be already.
    func whenSecure(_ tell: @escaping (Result<Void, ProxyError>) -> Void) {
        if let security { return tell(security) }
        whenSecure = tell
    }

    private func handshakeEnded(_ result: Result<Void, ProxyError>) {
        guard security == nil else { return }
        security = result
        whenSecure.take()?(result)
    }

    // MARK: Use by an exchange

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func begin(_ exchange: ProxyExchange, isHead: Bool) {
        user = exchange
        isAnswerToHead = isHead
        state = .busy
    }

    func send(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }
    func flush() { context?.flush() }

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
        user = nil
        guard case .busy = state else { return }
        if isReusable { state = .ending(isReusable: true) } else { close() }
    }

    /// The exchange that was to use the connection has ended meanwhile.
    func becameUnused() {
        state = .idle
        pool.release(self, isReusable: true)
    }

    func close() {
        user = nil
        switch state {
        case .closed: return
        case .idle: pool.idleClosed(self)
        case .busy, .ending, .tunnel: pool.busyClosed(self)
        case .connecting: handshakeEnded(.failure(.badGateway(.tlsFailed("the connection was closed"))))
        }
        state = .closed
        timer?.task.cancel()
        timer = nil
        context?.close(promise: nil)
    }

    /// There is room for more of the answer.
    func readMore() {
        guard !isReadOutstanding, let context else { return }
        isReadOutstanding = true
        context.read()
    }

    /// The pool has parked the connection.
    func becameIdle() {
        state = .idle
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
            guard let next = self.user?.deadline(now: .now()) else { return }
            self.checkDeadline(noLaterThan: next)
        }
        timer = (deadline, task)
    }

    // MARK: Tunnel

    /// Leaves bytes alone from now on.
    ///
    /// - Parameter tunnel: Its end stands between the bytes and this handler.
    func becomeTunnel(_ tunnel: Tunnel) throws {
        guard let context else { throw ChannelError.ioOnClosedChannel }
        state = .tunnel
        timer?.task.cancel()
        timer = nil
        // An upstream that ends its half of the tunnel may still be sent to.
        try context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        try context.pipeline.syncOperations.addHandler(tunnel.end(.upstream), position: .before(self))
        let early = inbound
        inbound = ByteBuffer()
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
        if case .handshakeCompleted? = event as? TLSUserEvent { handshakeEnded(.success(())) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if inbound.readableBytes == 0 { inbound = bytes } else { inbound.writeBuffer(&bytes) }
        // Nobody has asked for anything: whatever comes, the two sides are out of step.
        guard case .busy = state else { return close() }
        do {
            try readAnswer()
        } catch {
            user?.upstreamFailed(.malformed(error.rawValue))
        }
    }

    private func readAnswer() throws(MessageProblem) {
        while case .busy = state, let user {
            guard let part = try body?.next(from: &inbound) else {
                if body != nil { return }
                guard try readHead(for: user) else { return }
                continue
            }
            switch part {
            case .bytes(let bytes): user.upstreamSent(bytes)
            case .end(let trailers):
                body = nil
                user.upstreamEnded(trailers)
            }
        }
        // What comes behind a complete answer belongs to nothing.
        if case .ending = state, inbound.readableBytes > 0 { state = .ending(isReusable: false) }
    }

    private func readHead(for user: ProxyExchange) throws(MessageProblem) -> Bool {
        guard ResponseHead.mayBegin(with: inbound) else { throw .startLine }
        guard let length = try scanner.end(in: inbound), let bytes = inbound.readSlice(length: length) else {
            return false
        }
        let head = try ResponseHead(
            parsing: bytes, isAnswerToHead: isAnswerToHead, maximumFields: Self.maximumFields)
        body = BodyReader(head.framing)
        user.upstreamSent(head)
        return true
    }

    private func resetReading() {
        inbound = ByteBuffer()
        scanner = HeadScanner(limitBytes: Self.maximumHeadBytes)
        body = nil
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadOutstanding = false
        switch state {
        case .busy: if user?.upstreamPaused() == true { readMore() }
        case .ending(let isReusable):
            resetReading()
            state = .idle
            pool.release(self, isReusable: isReusable)
        case .idle, .connecting: readMore()
        case .tunnel, .closed: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { user?.upstreamBecameWritable() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch state {
        case .connecting:
            handshakeEnded(.failure(.badGateway(.tlsFailed("\(error)"))))
            close()
        case .busy:
            guard let user else { return close() }
            user.upstreamFailed(UpstreamFault(error))
        default: close()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .busy = state, body?.closed() == true { user?.upstreamEnded(.none) }
        user?.upstreamFailed(body == nil && inbound.readableBytes == 0 ? .closed : .truncated)
        close()
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension UpstreamConnection: Sendable {}

/// What broke an exchange on the upstream's side.
enum UpstreamFault {
    case closed
    /// Closed in the middle of a message.
    case truncated
    case malformed(String)

    init(_ error: any Error) {
        self = error is IOError || error is ChannelError || error is NIOSSLError ? .closed : .malformed("\(error)")
    }
}
