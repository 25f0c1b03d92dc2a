import NIOCore
import NIOHTTP1

/// A real HTTP server that answers with the body and the trailers it gets, as they come, reading no faster than it can
/// write.
package final class EchoUpstream: Sendable {
    private let server: TestServer

    package init() async throws {
        server = try await .http(isPipelined: false) { EchoHandler() }
    }

    package var port: Int { server.port }

    package func close() async throws { try await server.close() }
}

private final class EchoHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private var isReadHeld = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            context.writeAndFlush(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok))), promise: nil)
        case .body(let bytes): context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        case .end(let trailers): context.write(wrapOutboundOut(.end(trailers)), promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard isReadHeld, context.channel.isWritable else { return }
        isReadHeld = false
        context.read()
    }
}
