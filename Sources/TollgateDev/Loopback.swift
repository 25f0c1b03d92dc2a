import NIOCore
import NIOPosix

/// The little of 127.0.0.1 that starting a server needs.
package enum Loopback {
    private static let host = "127.0.0.1"

    /// A TCP port that nobody uses at this moment.
    package static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: host, port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        guard let port else { throw ChannelError.unknownLocalAddress }
        return port
    }

    /// Whether a redis-server answers there within a second. One that asks for a password does.
    static func redisAnswers(port: Int) async -> Bool {
        (try? await answer(port: port)).map { answer in
            ["+PONG", "-NOAUTH", "-NOPERM"].contains { answer.hasPrefix($0) }
        } ?? false
    }

    private static func answer(port: Int) async throws -> String {
        let eventLoop = MultiThreadedEventLoopGroup.singletonMultiThreadedEventLoopGroup.next()
        let line = eventLoop.makePromise(of: String.self)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: eventLoop)
                .connectTimeout(.seconds(1))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(FirstLineReader(line))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            line.fail(error)
            throw error
        }
        let timeout = eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        defer {
            timeout.cancel()
            channel.close(promise: nil)
        }
        try await channel.writeAndFlush(ByteBuffer(string: "PING\r\n"))
        return try await line.futureResult.get()
    }
}

/// Waits for the first line of an answer.
private final class FirstLineReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let line: EventLoopPromise<String>
    private var answer = ""

    init(_ line: EventLoopPromise<String>) { self.line = line }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answer += String(buffer: unwrapInboundIn(data))
        // As a byte: to Swift "\r\n" is one character, and none of the two.
        if answer.utf8.contains(UInt8(ascii: "\n")) { line.succeed(answer) }
    }

    /// Whoever has the line already does not hear of this.
    func channelInactive(context: ChannelHandlerContext) { line.fail(ChannelError.eof) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        line.fail(error)
        context.close(promise: nil)
    }
}
