import NIOCore
import Synchronization

/// An upstream that changes to a protocol in which each side says when it is done: it hears the client to its end and
/// then answers `heard … to its end`, or is done first and only listens.
package final class EndingUpstream: Sendable {
    private let server: TestServer
    private let state: State

    final class State: Sendable {
        let heard = Mutex((text: "", hasEnded: false))
    }

    /// What came behind the request.
    package var heard: String { state.heard.withLock(\.text) }
    package var hasEnded: Bool { state.heard.withLock(\.hasEnded) }

    /// - Parameters:
    ///   - switching: What a request is answered with.
    ///   - endsFirst: Whether the upstream says nothing more after it.
    package init(switching: String, endsFirst: Bool = false) async throws {
        let state = State()
        self.state = state
        server = try await TestServer(allowsHalfClosure: true) { pipeline in
            try pipeline.addHandler(EndingHandler(state: state, switching: switching, endsFirst: endsFirst))
        }
    }

    package var port: Int { server.port }

    package func close() async throws { try await server.close() }
}

private final class EndingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: EndingUpstream.State
    private let switching: String
    private let endsFirst: Bool
    private var text = ""
    private var hasSwitched = false

    init(state: EndingUpstream.State, switching: String, endsFirst: Bool) {
        (self.state, self.switching, self.endsFirst) = (state, switching, endsFirst)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        if !hasSwitched, let end = text.firstRange(of: "\r\n\r\n")?.upperBound {
            hasSwitched = true
            text = String(text[end...])
            say(switching, context)
            if endsFirst { context.close(mode: .output, promise: nil) }
        }
        if hasSwitched { state.heard.withLock { [text] in $0.text = text } }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        state.heard.withLock { $0.hasEnded = true }
        // What is said last comes well after the end of what was heard.
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(300)) {
            self.say("heard \(self.text) to its end", context)
            context.close(promise: nil)
        }
    }

    /// Its own half was closed before.
    func channelInactive(context: ChannelHandlerContext) { state.heard.withLock { $0.hasEnded = true } }

    private func say(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
