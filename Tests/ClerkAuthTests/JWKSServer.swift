import AsyncHTTPClient
import ClerkAuth
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport

/// A pretended JWKS endpoint on a port of its own, that counts what it is asked.
final class JWKSServer: Sendable {
    struct Answer: Sendable {
        var status = HTTPResponseStatus.ok
        var body = ""

        /// The head and the first byte, and then nothing.
        var isStalled = false
    }

    private struct State {
        var answer: Answer
        var requestCount = 0
        var lastAuthorization: String?
    }

    private let state: Mutex<State>

    private init(_ answer: Answer) { state = Mutex(State(answer: answer)) }

    var requestCount: Int { state.withLock { $0.requestCount } }
    var lastAuthorization: String? { state.withLock { $0.lastAuthorization } }

    func answer(_ body: String) { state.withLock { $0.answer = Answer(body: body) } }
    func fail() { state.withLock { $0.answer = Answer(status: .serviceUnavailable) } }

    /// Runs `body` while the server runs.
    static func with<Result>(
        _ answer: Answer, _ body: (JWKSServer, _ url: String) async throws -> Result
    ) async throws -> Result {
        let server = JWKSServer(answer)
        return try await withHTTPServer({ Handler(server: server) }) { url in
            try await body(server, "\(url)/v1/jwks")
        }
    }

    private func take(_ head: HTTPRequestHead) -> Answer {
        state.withLock { state in
            state.requestCount += 1
            state.lastAuthorization = head.headers.first(name: "authorization")
            return state.answer
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: JWKSServer

        init(server: JWKSServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let request) = unwrapInboundIn(data) else { return }
            let answer = server.take(request)
            var head = HTTPResponseHead(version: .http1_1, status: answer.status)
            head.headers.add(name: "content-length", value: "\(answer.body.utf8.count)")
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            guard !answer.isStalled else { return context.flush() }
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

/// One client for all tests, as long as the process lives.
let testClient: HTTPClient = {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
}()

let silentLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs `body` with an authenticator that has its keys from a server with this answer.
func withJWKS<Result>(
    _ body: String,
    run: (JWKSServer, ClerkAuthenticator, TestTime) async throws -> Result
) async throws -> Result {
    try await JWKSServer.with(JWKSServer.Answer(body: body)) { server, url in
        let time = TestTime()
        let authenticator = try ClerkAuthenticator(
            configuration: ClerkConfiguration(keySource: .jwks(url: url, bearerSecret: "sk_test_1")),
            time: time, httpClient: testClient, logger: silentLogger)
        return try await run(server, authenticator, time)
    }
}

/// An authenticator with the first key's PEM.
func pemAuthenticator(
    _ time: TestTime = TestTime(),
    memoryCapacity: Int = TokenMemory.defaultCapacity,
    configure: (inout ClerkConfiguration) -> Void = { _ in }
) throws -> ClerkAuthenticator {
    var configuration = ClerkConfiguration(keySource: .pem(try TestKey.first.publicPEM))
    configure(&configuration)
    return try ClerkAuthenticator(
        configuration: configuration, time: time, httpClient: nil, logger: silentLogger,
        memoryCapacity: memoryCapacity)
}
