import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Sends a long body as fast as it is taken, and counts and compares what comes back.
package final class BulkClient: Sendable {
    private let channel: any Channel
    private let counter: Counter

    final class Counter: Sendable {
        let answer = BodyTally()
        let sent = Atomic<Int>(0)
        let status = Atomic<Int>(0)
        let isEnded = Atomic<Bool>(false)
        let isClosed = Atomic<Bool>(false)
    }

    package var received: Int { counter.answer.count }
    package var sent: Int { counter.sent.load(ordering: .relaxed) }

    /// 0 until the answer begins.
    package var status: Int { counter.status.load(ordering: .acquiring) }
    package var isEnded: Bool { counter.isEnded.load(ordering: .acquiring) }

    /// Whether the answer's body was the pattern that ``BytePattern`` makes, as is the request's.
    package var isIntact: Bool { counter.answer.isIntact }

    /// The connection is over.
    package var isClosed: Bool { counter.isClosed.load(ordering: .acquiring) }

    /// - Parameters:
    ///   - bytes: Length of the body; 0 sends a GET without one.
    ///   - isChunked: Whether the body is sent in chunks instead of with its length.
    ///   - reads: False reads nothing of the answer until ``startReading()``.
    package init(
        port: Int, path: String = "/echo", bytes: Int, isChunked: Bool = false, headers: [(String, String)] = [],
        reads: Bool = true
    ) async throws {
        let counter = Counter()
        self.counter = counter
        var head = HTTPRequestHead(version: .http1_1, method: bytes > 0 ? .POST : .GET, uri: path)
        head.headers.add(name: "Host", value: "a")
        for (name, value) in headers { head.headers.add(name: name, value: value) }
        if bytes > 0 {
            head.headers.add(
                name: isChunked ? "Transfer-Encoding" : "Content-Length", value: isChunked ? "chunked" : String(bytes))
        }
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads)
            // Otherwise the channel closes when the server hangs up, and what is still to be read is lost.
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { [head] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        BulkHandler(counter: counter, head: head, total: bytes))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    package func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }
    package func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }
    package func close() async throws { try await channel.close() }
}

private final class BulkHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private static let blockLength = 64 * 1024

    private let counter: BulkClient.Counter
    private let head: HTTPRequestHead
    private let total: Int
    private var sent = 0
    private var isEndSent = false
    private var isFilling = false

    init(counter: BulkClient.Counter, head: HTTPRequestHead, total: Int) {
        (self.counter, self.head, self.total) = (counter, head, total)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        fill(context)
    }

    func channelInactive(context: ChannelHandlerContext) { counter.isClosed.store(true, ordering: .releasing) }

    func channelWritabilityChanged(context: ChannelHandlerContext) { fill(context) }

    private func fill(_ context: ChannelHandlerContext) {
        // A write may lead here again, in the middle of a chunk: the end must not come before the rest of it.
        guard !isFilling else { return }
        isFilling = true
        defer { isFilling = false }
        while sent < total, context.channel.isWritable {
            let bytes = BytePattern.piece(at: sent, length: min(Self.blockLength, total - sent))
            sent += bytes.readableBytes
            counter.sent.store(sent, ordering: .relaxed)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        }
        guard sent == total, !isEndSent else { return }
        isEndSent = true
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): counter.status.store(Int(head.status.code), ordering: .releasing)
        case .body(let bytes): counter.answer.add(bytes)
        case .end: counter.isEnded.store(true, ordering: .releasing)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
