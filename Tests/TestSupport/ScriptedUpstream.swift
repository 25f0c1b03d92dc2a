package import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// An upstream that says, byte by byte, what a test wants.
package final class ScriptedUpstream: Sendable {
    package enum Step: Sendable {
        case say(String)
        case hangUp
        /// Closes with a reset instead of an end.
        case reset
        case pause(TimeAmount)
    }

    private let server: TestServer
    private let state: State

    /// Connections that were accepted.
    package var connectionCount: Int { state.value.connections }

    /// What came on all connections.
    package var received: String { state.value.received }
    package var closedCount: Int { state.value.closed }

    /// What the handlers of all connections share.
    final class State: Sendable {
        struct Value {
            var connections = 0
            var requests = 0
            var received = ""
            var closed = 0
        }

        private let mutex = Mutex(Value())

        var value: Value { mutex.withLock(\.self) }
        func update<Result: Sendable>(_ body: (inout sending Value) -> Result) -> Result {
            mutex.withLock { body(&$0) }
        }
    }

    /// - Parameter script: What to do about the request with this number (from 1), given all that came on its
    ///   connection since the last request. Nil waits for more.
    package init(
        host: String = "127.0.0.1", port: Int = 0, script: @escaping @Sendable (Int, String) -> [Step]?
    ) async throws {
        let state = State()
        self.state = state
        server = try await TestServer(host: host, port: port) { pipeline in
            try pipeline.addHandler(ScriptHandler(state: state, script: script))
        }
    }

    /// Answers each request whose head is complete.
    package static func answering(_ steps: [Step]) async throws -> ScriptedUpstream {
        try await ScriptedUpstream { _, text in text.contains("\r\n\r\n") ? steps : nil }
    }

    package var port: Int { server.port }

    package func close() async throws { try await server.close() }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: ScriptedUpstream.State
    private let script: @Sendable (Int, String) -> [ScriptedUpstream.Step]?
    private var text = ""

    init(state: ScriptedUpstream.State, script: @escaping @Sendable (Int, String) -> [ScriptedUpstream.Step]?) {
        self.state = state
        self.script = script
    }

    func channelActive(context: ChannelHandlerContext) { state.update { $0.connections += 1 } }
    func channelInactive(context: ChannelHandlerContext) { state.update { $0.closed += 1 } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let piece = String(buffer: unwrapInboundIn(data))
        text += piece
        let number = state.update { value in
            value.received += piece
            return value.requests + 1
        }
        guard let steps = script(number, text) else { return }
        state.update { $0.requests += 1 }
        text = ""
        perform(steps[...], context)
    }

    private func perform(_ steps: ArraySlice<ScriptedUpstream.Step>, _ context: ChannelHandlerContext) {
        guard let step = steps.first else { return }
        let rest = steps.dropFirst()
        switch step {
        case .say(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        case .hangUp: context.close(promise: nil)
        case .reset:
            (context.channel as? any SocketOptionProvider)?
                .setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in }
            context.close(promise: nil)
        case .pause(let time):
            context.eventLoop.assumeIsolated().scheduleTask(in: time) { self.perform(rest, context) }
            return
        }
        perform(rest, context)
    }
}
