import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS

/// One HTTP/1.1 connection to an upstream, used by one exchange at a time.
///
/// It reads only when what it reads has a place to go, and always while it is idle, to see the upstream hang up.
///
/// Confined to its event loop.
final class UpstreamConnection: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

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
    private(set) var born: UInt64 = 0
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private let pool: UpstreamPool
    private var state = State.connecting
    private var context: ChannelHandlerContext?
    private var user: ProxyExchange?
    private var whenReady: ((Result<Void, ProxyError>) -> Void)?
    private var timer: (at: NIODeadline, task: Scheduled<Void>)?
    private var isReadOutstanding = false

    /// Limits of an answer's head.
    private static let headerLimits = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 64 * 1024
        limits.maxHeaderListSize = 256 * 1024
        return limits
    }()

    init(pool: UpstreamPool, whenReady: @escaping (Result<Void, ProxyError>) -> Void) {
        self.pool = pool
        self.whenReady = whenReady
        var configuration = HTTPRequestEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        encoder = HTTPRequestEncoder(configuration: configuration)
        decoder = ByteToMessageHandler(
            HTTPResponseDecoder(
                leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .forward,
                limitConfiguration: Self.headerLimits))
    }

    func addHandlers(to channel: any Channel, tls: NIOSSLClientHandler?) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(tls) }
        try pipeline.addHandlers([encoder, decoder, self])
    }

    // MARK: Use by an exchange

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func begin(_ exchange: ProxyExchange) {
        user = exchange
        state = .busy
    }

    func send(_ head: HTTPRequestHead) { write(.head(head)) }
    func send(_ body: ByteBuffer) { write(.body(.byteBuffer(body))) }
    func sendEnd(_ trailers: HTTPHeaders?) { write(.end(trailers)) }
    func flush() { context?.flush() }

    private func write(_ part: HTTPClientRequestPart) { context?.write(wrapOutboundOut(part), promise: nil) }

    /// The exchange is over. The connection goes back to the pool unless something about it is not clean.
    func end(isReusable: Bool) {
        user = nil
        guard case .busy = state else { return }
        if isReusable { state = .ending(isReusable: true) } else { close() }
    }

    /// Whoever was to use the connection has gone meanwhile.
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
        case .connecting: break
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
        guard let context else { return }
        if let timer {
            guard deadline < timer.at else { return }
            timer.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            guard let next = self.user?.deadline(now: .now()) else { return }
            self.checkDeadline(noLaterThan: next)
        }
        timer = (deadline, task)
    }

    // MARK: Tunnel

    /// Leaves bytes alone from now on.
    ///
    /// - Parameter end: Takes the place of the HTTP codec.
    /// - Returns: When the codec is gone.
    func becomeTunnel(_ end: TunnelEnd) throws -> EventLoopFuture<Void> {
        guard let context else { throw ChannelError.ioOnClosedChannel }
        state = .tunnel
        timer?.task.cancel()
        timer = nil
        let pipeline = context.pipeline.syncOperations
        try pipeline.addHandler(end, position: .before(self))
        pipeline.removeHandler(encoder, promise: nil)
        return pipeline.removeHandler(decoder)
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

    func becameReady(at now: NIODeadline) {
        born = now.uptimeNanoseconds
        whenReady.take()?(.success(()))
    }

    func failed(with error: ProxyError) {
        whenReady.take()?(.failure(error))
        close()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { becameReady(at: .now()) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .busy = state, let user else { return close() }
        switch unwrapInboundIn(data) {
        case .head(let head): user.upstreamSent(head)
        case .body(let bytes): user.upstreamSent(bytes)
        case .end(let trailers): user.upstreamEnded(trailers)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadOutstanding = false
        switch state {
        case .busy: if user?.upstreamPaused() == true { readMore() }
        case .ending(let isReusable):
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
        case .connecting: failed(with: .badGateway(.tlsFailed("\(error)")))
        case .busy:
            guard let user else { return close() }
            user.upstreamFailed(UpstreamFault(error))
        default: close()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .connecting = state { failed(with: .badGateway(.tlsFailed("the connection was closed"))) }
        user?.upstreamFailed(.closed)
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
        guard let error = error as? HTTPParserError else {
            self = error is IOError || error is ChannelError || error is NIOSSLError ? .closed : .malformed("\(error)")
            return
        }
        self = error == .invalidEOFState ? .truncated : .malformed("\(error)")
    }
}
