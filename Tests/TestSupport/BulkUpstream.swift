import NIOCore
import NIOHTTP1
import Synchronization

/// A real HTTP server of long bodies: takes one of any length, counting and comparing its bytes, and answers a GET of
/// `/<bytes>` with a body of so many, in chunks for `/<bytes>?chunked`.
package final class BulkUpstream: Sendable {
    private let server: TestServer
    private let state: State

    final class State: Sendable {
        let body = BodyTally()
        let sent = Atomic<Int>(0)
        let readers = Mutex<(isHeld: Bool, channels: [any Channel])>((false, []))
    }

    package init() async throws {
        let state = State()
        self.state = state
        server = try await .http(isPipelined: false) { BulkServerHandler(state: state) }
    }

    /// Bytes of the body that came.
    package var received: Int { state.body.count }

    /// Whether they are the pattern that ``BytePattern`` makes.
    package var isIntact: Bool { state.body.isIntact }

    /// Bytes that were handed to connections, in all answers.
    package var sent: Int { state.sent.load(ordering: .relaxed) }

    /// Stops reading bodies, and each that is to come as soon as it begins, until ``startReading()``.
    package func stopReading() async throws { try await hold(true) }

    package func startReading() async throws { try await hold(false) }

    private func hold(_ isHeld: Bool) async throws {
        let channels = state.readers.withLock { readers in
            readers.isHeld = isHeld
            return readers.channels
        }
        for channel in channels { try await channel.setOption(.autoRead, value: !isHeld).get() }
    }

    package var port: Int { server.port }

    package func close() async throws { try await server.close() }
}

private final class BulkServerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let blockLength = 64 * 1024

    private let state: BulkUpstream.State
    private var total = 0
    private var sent = 0
    private var isAnswering = false
    private var isFilling = false

    init(state: BulkUpstream.State) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if head.method == .POST { hold(context) } else { begin(head.uri, context) }
        case .body(let bytes): state.body.add(bytes)
        case .end: if !isAnswering { begin("/0", context) }
        }
    }

    private func hold(_ context: ChannelHandlerContext) {
        let isHeld = state.readers.withLock { readers in
            readers.channels.append(context.channel)
            return readers.isHeld
        }
        if isHeld { context.channel.setOption(.autoRead, value: false).whenComplete { _ in } }
    }

    private func begin(_ uri: String, _ context: ChannelHandlerContext) {
        let parts = uri.dropFirst().split(separator: "?")
        total = parts.first.flatMap { Int($0.split(separator: "/").last ?? "") } ?? 0
        sent = 0
        isAnswering = true
        let framing = parts.count > 1 ? ("Transfer-Encoding", "chunked") : ("Content-Length", String(total))
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: [framing.0: framing.1])
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        fill(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { fill(context) }

    private func fill(_ context: ChannelHandlerContext) {
        // A write may lead here again, in the middle of a chunk: the end must not come before the rest of it.
        guard isAnswering, !isFilling else { return }
        isFilling = true
        defer { isFilling = false }
        while sent < total, context.channel.isWritable {
            let bytes = BytePattern.piece(at: sent, length: min(Self.blockLength, total - sent))
            sent += bytes.readableBytes
            state.sent.wrappingAdd(bytes.readableBytes, ordering: .relaxed)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        }
        guard sent == total else { return }
        isAnswering = false
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
