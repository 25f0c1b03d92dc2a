import NIOCore

/// A TCP server that says what a test wants, whatever it is sent: for servers that are broken in ways a real one is not.
package final class ScriptedServer: Sendable {
    package enum Reaction: Sendable {
        case say(String)
        case sayAndHangUp(String)
        case hangUp
        case nothing
    }

    private let server: TestServer

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - react: Called with each portion of bytes that comes.
    package init(port: Int = 0, react: @escaping @Sendable (String) -> Reaction) async throws {
        server = try await TestServer(port: port) { try $0.addHandler(ReactionHandler(react: react)) }
    }

    package var port: Int { server.port }

    package func close() async throws { try await server.close() }
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
