import NIOCore
import Synchronization

/// An upstream that says each word when the test tells it to, on the connection that was made last.
package final class ManualUpstream: Sendable {
    private let server: TestServer
    private let state: State

    final class State: Sendable {
        struct Value {
            var connections: [any Channel] = []
            var bytes: [UInt8] = []
            var closed = 0
        }

        let mutex = Mutex(Value())

        var value: Value { mutex.withLock(\.self) }
    }

    package init(port: Int = 0) async throws {
        let state = State()
        self.state = state
        server = try await TestServer(port: port) { try $0.addHandler(ListeningHandler(state: state)) }
    }

    package var connectionCount: Int { state.value.connections.count }
    package var closedCount: Int { state.value.closed }

    /// All that came, on all connections.
    package var received: [UInt8] { state.value.bytes }
    package var text: String { String(decoding: received, as: UTF8.self) }

    package func waits(for part: String) async throws {
        do {
            try await eventually("'\(part)'") { self.text.contains(part) }
        } catch {
            throw NeverHappened(description: "'\(part)' never came to the upstream; there is: \(self.text)")
        }
    }

    /// Waits until so many requests, or parts of some, came that hold `part`.
    package func waits(for part: String, times count: Int) async throws {
        try await eventually("\(count) times '\(part)'") { self.text.ranges(of: part).count >= count }
    }

    package func say(_ text: String) async throws { try await say(Array(text.utf8)) }

    package func say(_ bytes: [UInt8]) async throws {
        try await last.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// On every connection that was made.
    package func sayToAll(_ text: String) async throws {
        for connection in state.value.connections { try await connection.writeAndFlush(ByteBuffer(string: text)) }
    }

    package func hangUp() async throws { try await last.close() }

    package var port: Int { server.port }

    package func close() async throws { try await server.close() }

    private var last: any Channel {
        get throws {
            guard let last = state.value.connections.last else {
                throw NeverHappened(description: "no connection has come to the upstream")
            }
            return last
        }
    }
}

private final class ListeningHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: ManualUpstream.State

    init(state: ManualUpstream.State) { self.state = state }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        state.mutex.withLock { $0.connections.append(channel) }
    }

    func channelInactive(context: ChannelHandlerContext) { state.mutex.withLock { $0.closed += 1 } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        state.mutex.withLock { $0.bytes += bytes }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
