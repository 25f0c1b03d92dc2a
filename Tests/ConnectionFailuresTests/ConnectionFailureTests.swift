import AsyncHTTPClient
import ConnectionFailures
import NIOCore
import NIOPosix
import NIOSSL
import OutboundCalls
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What operators read of connections that fail, from the errors that they really fail with.
@Suite(.timeLimit(.minutes(6))) struct ConnectionFailureTests {
    /// Types and places of the libraries, and the system's numbers.
    private static func isInOurWords(_ text: String) -> Bool {
        !["NIO", "SSL.", "errno", "descriptor:", "bind(", "connect(", ".swift", ".cc", "HTTPClientError", "error:"]
            .contains(where: text.contains)
    }

    private static func connecting(to host: String, port: Int, tls: TLSConfiguration? = nil) async -> ConnectionFailure?
    {
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(5)).connect(host: host, port: port).get()
            try await channel.close()
            return nil
        } catch {
            return ConnectionFailure(error)
        }
    }

    @Test func aPortThatNobodyListensAt() async throws {
        let failure = try #require(await Self.connecting(to: "127.0.0.1", port: 1))
        #expect(failure.kind == .refused && Self.isInOurWords(failure.description), "\(failure)")
        #expect(failure.remedy?.contains("Start the server") == true)
    }

    @Test func aNameThatThereIsNot() async throws {
        let failure = try #require(await Self.connecting(to: "nowhere.invalid", port: 80))
        #expect(failure.kind == .nameNotFound && failure.description.contains("nowhere.invalid"))
        #expect(Self.isInOurWords(failure.description), "\(failure)")
    }

    @Test func aPortThatIsTaken() async throws {
        let first = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(first.localAddress?.port)
        do {
            let second = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: port).get()
            try await second.close()
            Issue.record("two servers at one port")
        } catch {
            #expect(ConnectionFailure(error).kind == .addressInUse)
            #expect(ConnectionFailure(error).description == "the port is taken")
        }
        try await first.close()
    }

    /// Each is told in words, and sorted.
    @Test(arguments: [
        (ECONNREFUSED, ConnectionFailure.Kind.refused), (ETIMEDOUT, .timedOut), (EHOSTUNREACH, .unreachable),
        (ECONNRESET, .closed), (EACCES, .permissionDenied), (ENOENT, .noSuchFile), (EADDRINUSE, .addressInUse),
        (EADDRNOTAVAIL, .noSuchAddress), (EMFILE, .outOfDescriptors), (EIO, .other),
    ])
    func errorsOfTheSystem(code: Int32, kind: ConnectionFailure.Kind) {
        let failure = ConnectionFailure(IOError(errnoCode: code, reason: "connect(descriptor:ptr:bytes:)"))
        #expect(failure.kind == kind && Self.isInOurWords(failure.description), "\(failure)")
    }

    @Test func errorsOfChannels() {
        #expect(ConnectionFailure(ChannelError.connectTimeout(.seconds(1))).kind == .timedOut)
        #expect(ConnectionFailure(ChannelError.eof).kind == .closed)
    }

    /// A server without TLS, asked with TLS: BoringSSL's own words name a file of the machine that it was built on.
    @Test func aServerThatSpeaksNoTLS() async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(PlainSpeaker()) }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let url = "https://user:secret@127.0.0.1:\(port)/v1/customers/cus_1"
        do {
            _ = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
            Issue.record("TLS where there is none")
        } catch {
            let told = CallError(error, calling: CalledService(name: "Stripe"), at: url)
            #expect(told.kind == .unreachable && told.message.contains("does not speak TLS"), "\(told)")
            #expect(told.message.hasPrefix("https://127.0.0.1:\(port) could not be reached"))
            #expect(Self.isInOurWords(told.message) && !told.message.contains("secret"), "\(told)")
        }
        try await server.close()
    }

    @Test func aCallOfAPortThatNobodyListensAt() async {
        let url = "http://127.0.0.1:1/v1/prices"
        do {
            _ = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
            Issue.record("an answer")
        } catch {
            let told = CallError(error, calling: CalledService(name: "Stripe"), at: url)
            // One client tries for as long as it may, another gives up at once.
            #expect(told.message.hasPrefix("http://127.0.0.1:1 "), "\(told)")
            #expect(Self.isInOurWords(told.message), "\(told)")
        }
    }

    @Test(arguments: [
        ("https://api.stripe.com", "https://api.stripe.com"), ("http://a:b@host:80/x?y=z@", "http://host:80"),
        ("https://[::1]:9/", "https://[::1]:9"), ("nonsense", "the address"),
    ])
    func noMoreThanThePlaceIsTold(url: String, place: String) { #expect(CalledPlace(url).description == place) }
}

/// Answers whatever comes as a server of HTTP without TLS does.
private final class PlainSpeaker: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let answer = ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }
}
