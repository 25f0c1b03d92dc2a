package import NIOCore
import NIOHTTP1
import NIOPosix

/// A server on a port of its own, with what a test puts on each of its connections.
package struct TestServer: Sendable {
    private let channel: any Channel
    package let port: Int

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - allowsHalfClosure: Whether a connection stays when the client has said all it has to say.
    ///   - addHandlers: Called for each connection, on its event loop.
    package init(
        host: String = "127.0.0.1", port: Int = 0, allowsHalfClosure: Bool = false,
        on eventLoops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        addHandlers: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void
    ) async throws {
        channel = try await ServerBootstrap(group: eventLoops)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: allowsHalfClosure)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try addHandlers(channel.pipeline.syncOperations) }
            }
            .bind(host: host, port: port).get()
        self.port = channel.localAddress?.port ?? 0
    }

    /// A server of HTTP/1.1.
    ///
    /// - Parameters:
    ///   - isPipelined: Whether a request waits until the one before it is answered.
    ///   - makeHandler: What answers the requests of one connection.
    package static func http(
        isPipelined: Bool = true, _ makeHandler: @escaping @Sendable () -> any ChannelHandler
    ) async throws -> TestServer {
        try await TestServer { pipeline in
            try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: isPipelined)
            try pipeline.addHandler(makeHandler())
        }
    }

    package func close() async throws { try await channel.close() }
}

/// Runs `body` while an HTTP server runs, with its URL.
///
/// - Parameter makeHandler: What answers the requests of one connection.
package func withHTTPServer<Result>(
    isolation: isolated (any Actor)? = #isolation,
    _ makeHandler: @escaping @Sendable () -> any ChannelHandler,
    _ body: (_ url: String) async throws -> Result
) async throws -> Result {
    let server = try await TestServer.http(makeHandler)
    do {
        let result = try await body("http://127.0.0.1:\(server.port)")
        try await server.close()
        return result
    } catch {
        try? await server.close()
        throw error
    }
}
