import HTTPWire
import NIOCore
import NIOPosix
import ReverseProxy
import Synchronization
import TestSupport

/// The smallest gateway around the proxy: an HTTP/1.1 server that carries every request to one group of upstreams.
/// It is also the pattern for embedding: one exchange at a time on a connection, reads held while the exchange takes no
/// body, a cut-off answer never ended.
final class Front: Sendable {
    let group: UpstreamGroup
    private let server: TestServer
    private let eventLoops: MultiThreadedEventLoopGroup
    private let record: Outcomes
    private let upstreams: UpstreamRegistry

    fileprivate struct Service: Sendable {
        let group: UpstreamGroup
        let route: ProxyRoute
        let client: ClientConnection
        let identity: CallerIdentity
        let report: @Sendable (ProxyOutcome) -> Void
    }

    private init(
        group: UpstreamGroup, server: TestServer, eventLoops: MultiThreadedEventLoopGroup, record: Outcomes,
        upstreams: UpstreamRegistry
    ) {
        self.upstreams = upstreams
        (self.group, self.server) = (group, server)
        (self.eventLoops, self.record) = (eventLoops, record)
    }

    var port: Int { server.port }
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
        let upstreams = UpstreamRegistry(
            settings: settings.upstreams, eventLoops: Array(eventLoops.makeIterator()))
        guard let group = try upstreams.replace(with: [settings.members])[0] else {
            throw NeverHappened(description: "a front without upstreams")
        }
        let record = Outcomes()
        let service = Service(group: group, route: route, client: client, identity: identity) { record.add($0) }
        let server = try await TestServer(on: eventLoops) { try $0.addHandler(FrontHandler(service: service)) }
        return Front(
            group: group, server: server, eventLoops: eventLoops, record: record, upstreams: upstreams)
    }

    func close() async throws {
        try await server.close()
        upstreams.shutDown()
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
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let service: Front.Service
    private var context: ChannelHandlerContext?
    private var inbound = ByteBuffer()
    private var scanner = HeadScanner(limitBytes: 32 * 1024)
    private var body: BodyReader?
    private var exchange: ProxyExchange?
    private var isReadHeld = false
    private var closesAfter = false
    private var isChunked = false
    private var isHead = false

    init(service: Front.Service) { self.service = service }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        inbound.writeBuffer(&bytes)
        process()
    }

    private func process() {
        do {
            while let context {
                if let part = try body?.next(from: &inbound) {
                    switch part {
                    case .bytes(let bytes): exchange?.sendBody(bytes)
                    case .end(let trailers):
                        body = nil
                        exchange?.endRequest(trailers: trailers)
                    }
                } else {
                    guard body == nil, exchange == nil, let end = try scanner.end(in: inbound),
                        let bytes = inbound.readSlice(length: end)
                    else { return }
                    begin(try RequestHead(parsing: bytes), context)
                }
            }
        } catch {
            exchange?.clientGone()
            answer(400, "\(error)")
        }
    }

    private func begin(_ head: RequestHead, _ context: ChannelHandlerContext) {
        body = BodyReader(head.framing)
        closesAfter = !head.isKeptAlive
        isHead = head.method == "HEAD"
        guard let upstreams = service.group.on(context.eventLoop) else { return }
        let host: String?
        do { host = try head.host() } catch { return answer(400, "\(error)") }
        let request = ProxyRequest(
            head: head, uri: head.target, host: host ?? "", client: service.client, identity: service.identity)
        let exchange = upstreams.exchange(request, route: service.route, delegate: self)
        self.exchange = exchange
        exchange.start(isClientWritable: context.channel.isWritable)
    }

    func channelReadComplete(context: ChannelHandlerContext) { exchange?.flushBody() }

    func read(context: ChannelHandlerContext) {
        if exchange?.takesBody ?? true, inbound.readableBytes == 0 || body != nil || exchange == nil {
            context.read()
        } else {
            isReadHeld = true
        }
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

    private func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    // MARK: ProxyExchangeDelegate

    func proxyExchange(_ exchange: ProxyExchange, interim answer: ProxyAnswer) {
        var head = ByteBuffer()
        answer.write(to: &head)
        head.writeLineEnd()
        context?.writeAndFlush(wrapOutboundOut(head), promise: nil)
    }

    func proxyExchange(_ exchange: ProxyExchange, answers answer: ProxyAnswer) {
        var head = ByteBuffer()
        answer.write(to: &head)
        isChunked = answer.framing == .chunked || answer.framing == .untilClose
        if isChunked { head.writeField("Transfer-Encoding", "chunked") }
        if body != nil { closesAfter = true }
        if closesAfter { head.writeField("Connection", "close") }
        head.writeLineEnd()
        write(head)
    }

    func proxyExchange(_ exchange: ProxyExchange, body bytes: ByteBuffer) {
        guard isChunked else { return write(bytes) }
        var chunk = ByteBuffer()
        chunk.writeChunkSize(bytes.readableBytes)
        write(chunk)
        write(bytes)
        write(ByteBuffer(string: "\r\n"))
    }

    func proxyExchangeFlushes(_ exchange: ProxyExchange) { context?.flush() }

    func proxyExchange(_ exchange: ProxyExchange, upgrades answer: ProxyAnswer, tunnel: Tunnel) {
        guard let context else { return tunnel.close() }
        proxyExchange(exchange, interim: answer)
        let early = inbound
        inbound = ByteBuffer()
        do { try tunnel.attach(to: context.pipeline, early: early) } catch { tunnel.close() }
    }

    func proxyExchangeTakesBody(_ exchange: ProxyExchange) { releaseRead() }

    func proxyExchange(_ exchange: ProxyExchange, ended outcome: ProxyOutcome, trailers: FieldSection) {
        self.exchange = nil
        service.report(outcome)
        guard let context, outcome.status != 101 else { return }
        if let error = outcome.error {
            guard outcome.status == nil, error != .clientGone else { return context.close(promise: nil) }
            return answer(error.status, "\(error)")
        }
        if isChunked {
            var end = ByteBuffer()
            end.writeLastChunk(trailers: trailers) { HeaderFilter.passesInTrailers($0, of: trailers) }
            write(end)
        }
        finish()
    }

    private func answer(_ status: Int, _ text: String) {
        exchange = nil
        if body != nil { closesAfter = true }
        var head = ByteBuffer()
        head.writeString("HTTP/1.1 \(status) -\r\n")
        head.writeField("Content-Length", text.utf8.count)
        if closesAfter { head.writeField("Connection", "close") }
        head.writeLineEnd()
        if !isHead { head.writeString(text) }
        write(head)
        finish()
    }

    private func finish() {
        guard let context else { return }
        isChunked = false
        if closesAfter {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
                context.close(promise: nil)
            }
            self.context = nil
            return
        }
        context.flush()
        process()
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
