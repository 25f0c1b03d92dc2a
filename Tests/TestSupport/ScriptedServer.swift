import NIOCore
import NIOPosix

/// A TCP server that says what a test wants, whatever it is sent: for servers that are broken in ways a real one is not.
package final class ScriptedServer: Sendable {
    package enum Reaction: Sendable {
        case say(String)
        case sayAndHangUp(String)
        case hangUp
        case nothing
    }

    private let channel: any Channel
    package let port: Int

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - react: Called with each portion of bytes that comes.
    package init(port: Int = 0, react: @escaping @Sendable (String) -> Reaction) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ReactionHandler(react: react))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        self.port = channel.localAddress?.port ?? 0
    }

    package func close() async throws { try await channel.close() }
}

private final class ReactionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let react: @Sendable (String) -> ScriptedServer.Reaction

    init(react: @escaping @Sendable (String) -> ScriptedServer.Reaction) { self.react = react }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch react(String(buffer: unwrapInboundIn(data))) {
        case .say(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        case .sayAndHangUp(let text):
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            context.close(promise: nil)
        case .hangUp: context.close(promise: nil)
        case .nothing: break
        }
    }
}
