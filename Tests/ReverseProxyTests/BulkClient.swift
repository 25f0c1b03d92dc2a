import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Sends a long body as fast as it is taken, and counts what comes back.
final class BulkClient: Sendable {
    private let channel: any Channel
    private let counter: Counter

    final class Counter: Sendable {
        let received = Atomic<Int>(0)
        let sent = Atomic<Int>(0)
        let isEnded = Atomic<Bool>(false)
    }

    var received: Int { counter.received.load(ordering: .relaxed) }
    var sent: Int { counter.sent.load(ordering: .relaxed) }
    var isEnded: Bool { counter.isEnded.load(ordering: .acquiring) }

    /// - Parameters:
    ///   - bytes: Length of the body.
    ///   - reads: False reads nothing of the answer until ``startReading()``.
    init(port: Int, bytes: Int, reads: Bool = true) async throws {
        let counter = Counter()
        self.counter = counter
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(BulkHandler(counter: counter, total: bytes))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }
    func close() async throws { try await channel.close() }
}

private final class BulkHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private static let block = ByteBuffer(repeating: 0x61, count: 64 * 1024)

    private let counter: BulkClient.Counter
    private let total: Int
    private var sent = 0
    private var isEndSent = false

    init(counter: BulkClient.Counter, total: Int) { (self.counter, self.total) = (counter, total) }

    func channelActive(context: ChannelHandlerContext) {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/echo")
        head.headers.add(name: "Host", value: "a")
        head.headers.add(name: "Content-Length", value: String(total))
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        fill(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { fill(context) }

    private func fill(_ context: ChannelHandlerContext) {
        while sent < total, context.channel.isWritable {
            let bytes = Self.block.getSlice(at: 0, length: min(Self.block.readableBytes, total - sent)) ?? ByteBuffer()
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
        case .head: break
        case .body(let bytes): counter.received.wrappingAdd(bytes.readableBytes, ordering: .relaxed)
        case .end: counter.isEnded.store(true, ordering: .releasing)
        }
    }
}
