import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A client that sends what it is told, byte by byte, and keeps what it gets.
final class RawClient: Sendable {
    private let channel: any Channel
    private let state: State

    final class State: Sendable {
        private let mutex = Mutex((text: "", isClosed: false))

        var value: (text: String, isClosed: Bool) { mutex.withLock { ($0.text, $0.isClosed) } }
        func append(_ text: String) { mutex.withLock { $0.text += text } }
        func close() { mutex.withLock { $0.isClosed = true } }
    }

    private init(channel: any Channel, state: State) { (self.channel, self.state) = (channel, state) }

    var text: String { state.value.text }
    var isClosed: Bool { state.value.isClosed }

    static func connect(port: Int) async throws -> RawClient {
        let state = State()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(state: state))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(channel: channel, state: state)
    }

    /// Sends `request`, waits until the answer is complete by `isComplete` or the connection ends, and hangs up.
    static func ask(
        _ port: Int, _ request: String, until isComplete: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        let client = try await connect(port: port)
        try await client.send(request)
        try await eventually("an answer to \(request.prefix(40))") { client.isClosed || isComplete(client.text) }
        try? await client.close()
        return client.text
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }

    func waits(for part: String) async throws {
        do {
            try await eventually("'\(part)'") { self.text.contains(part) }
        } catch {
            throw NeverHappened(description: "'\(part)' never came; there is: \(self.text)")
        }
    }

    func close() async throws { try await channel.close() }
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: RawClient.State

    init(state: RawClient.State) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        state.append(String(buffer: unwrapInboundIn(data)))
    }
    func channelInactive(context: ChannelHandlerContext) { state.close() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
