import NIOCore
import NIOPosix

/// The little of 127.0.0.1 that starting a server needs.
package enum Loopback {
    private static let host = "127.0.0.1"

    /// Below the ports that Linux and Darwin give to clients, any of which could have one before it is listened on.
    private static let serverPorts = 10_000..<32_000

    /// A TCP port that is used by nothing at this moment.
    package static func freePort() async throws -> Int {
        for _ in 0..<100 {
            if let port = try? await freePort(.random(in: serverPorts)) { return port }
        }
        return try await freePort(0)
    }

    /// - Parameter port: 0 takes any.
    private static func freePort(_ port: Int) async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: host, port: port).get()
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
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(1))
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let timeout = channel.channel.eventLoop.scheduleTask(in: .seconds(1)) {
            channel.channel.close(promise: nil)
        }
        defer { timeout.cancel() }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: "PING\r\n"))
            var answer = ""
            for try await part in inbound {
                answer += String(buffer: part)
                // As a byte: to Swift "\r\n" is one character, and none of the two.
                if answer.utf8.contains(UInt8(ascii: "\n")) { break }
            }
            return answer
        }
    }
}
