import NIOCore
import NIOHTTP1
import NIOPosix
import ReverseProxy
import Synchronization
import TestSupport

/// The smallest gateway around the proxy: an HTTP/1.1 server that carries every request to one group of upstreams.
/// It is also the pattern for embedding: one exchange at a time on a connection, reads held while the exchange takes no
/// body, a cut-off answer never ended.
final class Front: Sendable {
    let port: Int
    let group: UpstreamGroup
    private let channel: any Channel
    private let eventLoops: MultiThreadedEventLoopGroup
    private let record: Outcomes

    fileprivate struct Service: Sendable {
        let group: UpstreamGroup
        let route: ProxyRoute
        let client: ClientConnection
        let identity: CallerIdentity
        let report: @Sendable (ProxyOutcome) -> Void
    }

    private init(
        port: Int, group: UpstreamGroup, channel: any Channel, eventLoops: MultiThreadedEventLoopGroup,
        record: Outcomes
    ) {
        (self.port, self.group, self.channel) = (port, group, channel)
        (self.eventLoops, self.record) = (eventLoops, record)
    }

    var outcomes: [ProxyOutcome] { record.all }

    /// Idle and busy connections to the upstreams.
    func connectionCounts() async throws -> (idle: Int, busy: Int) {
        let loop = eventLoops.next()
        return try await loop.submit { self.group.on(loop)?.connectionCounts ?? (0, 0) }.get()
    }

    static func start(
        _ settings: UpstreamGroupSettings, route: ProxyRoute = ProxyRoute(),
        client: ClientConnection = ClientConnection(address: "192.0.2.7"), identity: CallerIdentity = CallerIdentity()
    ) async throws -> Front {
        let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let group = try UpstreamGroup(settings: settings, eventLoops: Array(eventLoops.makeIterator()))
        let record = Outcomes()
        let service = Service(group: group, route: route, client: client, identity: identity) { record.add($0) }
        let channel = try await ServerBootstrap(group: eventLoops)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTPResponseEncoder())
                    try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try pipeline.addHandler(FrontHandler(service: service))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Front(
            port: channel.localAddress?.port ?? 0, group: group, channel: channel, eventLoops: eventLoops,
            record: record)
    }

    func close() async throws {
        try await channel.close()
        group.shutDown()
        try await eventLoops.shutdownGracefully()
    }
}

/// What exchanges came to.
final class Outcomes: Sendable {
    private let record = Mutex<[ProxyOutcome]>([])

    var all: [ProxyOutcome] { record.withLock(\.self) }
    func add(_ outcome: ProxyOutcome) { record.withLock { $0.append(outcome) } }
}

private final class FrontHandler: ChannelDuplexHandler, ProxyExchangeDelegate {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let service: Front.Service
    private var context: ChannelHandlerContext?
    private var exchange: ProxyExchange?
    private var isRequestOpen = false
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    private var isReadHeld = false
    private var closesAfter = false
    private var isHead = false
    private var hasLength = false

    init(service: Front.Service) { self.service = service }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { take(unwrapInboundIn(data), context) }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        if exchange != nil && !isRequestOpen { return waiting.append(part) }
        switch part {
        case .head(let head): begin(head, context)
        case .body(let bytes): exchange?.sendBody(bytes)
        case .end(let trailers):
            isRequestOpen = false
            exchange?.endRequest(trailers: trailers)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        isRequestOpen = true
        // The decoder stops for good behind a request that asks for an upgrade.
        closesAfter = !head.isKeepAlive || head.headers.contains(name: "Upgrade")
        isHead = head.method == .HEAD
        guard let upstreams = service.group.on(context.eventLoop) else { return }
        let target: RequestTarget
        do { target = try RequestTarget(head.uri) } catch { return answer(400, "\(error)") }
        let request = ProxyRequest(head: head, target: target, client: service.client, identity: service.identity)
        let exchange = upstreams.exchange(request, route: service.route, delegate: self)
        self.exchange = exchange
        exchange.start(isClientWritable: context.channel.isWritable)
    }

    func channelReadComplete(context: ChannelHandlerContext) { exchange?.flushBody() }

    func read(context: ChannelHandlerContext) {
        if exchange?.takesBody ?? true, waiting.isEmpty { context.read() } else { isReadHeld = true }
    }

    private func releaseRead() {
        guard isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.clientWritabilityChanged(isWritable: context.channel.isWritable)
    }

    func channelInactive(context: ChannelHandlerContext) { exchange?.clientGone() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: ProxyExchangeDelegate

    func proxyExchange(_ exchange: ProxyExchange, interim head: HTTPResponseHead) {
        context?.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    func proxyExchange(_ exchange: ProxyExchange, answers head: HTTPResponseHead) {
        var head = head
        hasLength = head.headers.contains(name: "Content-Length")
        if isRequestOpen { closesAfter = true }
        if closesAfter { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    func proxyExchange(_ exchange: ProxyExchange, body bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    func proxyExchangeFlushes(_ exchange: ProxyExchange) { context?.flush() }

    func proxyExchange(_ exchange: ProxyExchange, upgrades head: HTTPResponseHead, tunnel: Tunnel) {
        guard let context else { return tunnel.close() }
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        do { try tunnel.attach(to: context.pipeline) } catch { tunnel.close() }
    }

    func proxyExchangeTakesBody(_ exchange: ProxyExchange) { releaseRead() }

    func proxyExchange(_ exchange: ProxyExchange, ended outcome: ProxyOutcome, trailers: HTTPHeaders?) {
        self.exchange = nil
        service.report(outcome)
        guard let context, outcome.status != 101 else { return }
        if let error = outcome.error {
            guard outcome.status == nil, error != .clientGone else { return context.close(promise: nil) }
            return answer(error.status, "\(error)")
        }
        finish(trailers)
    }

    private func answer(_ status: Int, _ text: String) {
        exchange = nil
        if isRequestOpen { closesAfter = true }
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status))
        head.headers.add(name: "Content-Length", value: String(text.utf8.count))
        if closesAfter { head.headers.add(name: "Connection", value: "close") }
        hasLength = true
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context?.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil) }
        finish(nil)
    }

    private func finish(_ trailers: HTTPHeaders?) {
        guard let context else { return }
        // NIO's encoder would end the body that an answer to HEAD does not have.
        if !isHead || hasLength { context.write(wrapOutboundOut(.end(trailers)), promise: nil) }
        if closesAfter {
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer())))).assumeIsolated().whenComplete {
                _ in
                context.close(promise: nil)
            }
            return
        }
        context.flush()
        while exchange == nil || isRequestOpen, let part = waiting.popFirst() { take(part, context) }
        releaseRead()
    }
}

extension ProxyError {
    /// As an embedder answers it.
    fileprivate var status: Int {
        switch self {
        case .request(.bodyTooLarge): 413
        case .request: 400
        case .badGateway: 502
        case .unavailable: 503
        case .gatewayTimeout: 504
        case .clientStalled: 408
        case .clientGone: 499
        }
    }
}
