import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A client that sends what it is told, byte by byte, and keeps what it gets.
package final class RawClient: Sendable {
    private let channel: any Channel
    private let state: State

    final class State: Sendable {
        private let mutex = Mutex((bytes: [UInt8](), hasEnded: false, isClosed: false, wasReset: false))

        var value: (bytes: [UInt8], hasEnded: Bool, isClosed: Bool, wasReset: Bool) {
            mutex.withLock { ($0.bytes, $0.hasEnded, $0.isClosed, $0.wasReset) }
        }
        func append(_ bytes: [UInt8]) { mutex.withLock { $0.bytes += bytes } }
        func clear() { mutex.withLock { $0.bytes = [] } }
        func end() { mutex.withLock { $0.hasEnded = true } }
        func close() { mutex.withLock { $0.isClosed = true } }
        func reset() { mutex.withLock { $0.wasReset = true } }
    }

    private init(channel: any Channel, state: State) { (self.channel, self.state) = (channel, state) }

    /// All that has come.
    package var bytes: [UInt8] { state.value.bytes }
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Forgets what has come.
    package func clear() { state.clear() }

    /// The other side sends nothing more, to a client that does not read from the beginning.
    package var hasEnded: Bool { state.value.hasEnded }

    /// The other side has hung up.
    package var isClosed: Bool { state.value.isClosed }

    /// It did so in the middle of something.
    package var wasReset: Bool { state.value.wasReset }

    /// - Parameters:
    ///   - address: Where the client is: any address of the loopback network.
    ///   - reads: False reads nothing until ``startReading()``.
    package static func connect(port: Int, from address: String? = nil, reads: Bool = true) async throws -> RawClient {
        let state = State()
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        if let address { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: address, port: 0)) }
        let channel =
            try await bootstrap
            .channelOption(.autoRead, value: reads)
            // One that does not read is to hear of the other side's end when it reads, and not before.
            .channelOption(.allowRemoteHalfClosure, value: !reads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(state: state))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(channel: channel, state: state)
    }

    /// Sends `request`, waits until the answer is complete by `isComplete` or the connection ends, and hangs up.
    package static func ask(
        _ port: Int, _ request: String, until isComplete: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        let client = try await connect(port: port)
        try await client.send(request)
        try await eventually("an answer to \(request.prefix(40))") { client.isClosed || isComplete(client.text) }
        try? await client.close()
        return client.text
    }

    package func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }

    package func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    package func waits(for part: String) async throws {
        do {
            try await eventually("'\(part)'") { self.text.contains(part) }
        } catch {
            throw NeverHappened(description: "'\(part)' never came; there is: \(self.text)")
        }
    }

    package func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }

    package func close() async throws { try await channel.close() }

    /// Says that nothing more is coming, and goes on listening.
    package func stopSending() async throws { try await channel.close(mode: .output) }

    /// Hangs up in a way that no server takes for an end.
    package func reset() async throws {
        try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try await channel.close()
    }
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: RawClient.State

    init(state: RawClient.State) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        state.append(Array(unwrapInboundIn(data).readableBytesView))
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { state.end() }
    }
    func channelInactive(context: ChannelHandlerContext) { state.close() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if (error as? IOError)?.errnoCode == ECONNRESET { state.reset() }
        context.close(promise: nil)
    }
}
