import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import OutboundCalls
import StripeBilling
import Synchronization
import TestSupport

/// A pretended Stripe on a port of its own, that remembers what it was asked.
final class StripeServer: Sendable {
    struct Request: Sendable {
        let method: HTTPMethod
        let path: String
        let headers: HTTPHeaders
        var body = ""
    }

    enum Answer: Sendable {
        case json(Int, String, HTTPHeaders = [:])
        case html(Int)

        /// The head and the first byte, and then nothing.
        case stall
        case silence
        case hangUp
    }

    private struct State {
        var answers: [Answer]
        var requests: [Request] = []
    }

    private let state: Mutex<State>

    private init(_ answers: [Answer]) { state = Mutex(State(answers: answers)) }

    var requests: [Request] { state.withLock { $0.requests } }

    /// Runs `body` while the server runs. It gives `answers` in turn, and the last of them again and again.
    static func with<Result>(
        _ answers: Answer..., body: (StripeServer, _ url: String) async throws -> Result
    ) async throws -> Result {
        let server = StripeServer(answers)
        return try await withHTTPServer({ Handler(server: server) }) { url in
            try await body(server, url)
        }
    }

    private func take(_ request: Request) -> Answer {
        state.withLock { state in
            state.requests.append(request)
            return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: StripeServer
        private var request: Request?

        init(server: StripeServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): request = Request(method: head.method, path: head.uri, headers: head.headers)
            case .body(let bytes): request?.body += String(buffer: bytes)
            case .end:
                guard let request else { return }
                answer(server.take(request), context)
            }
        }

        private func answer(_ answer: Answer, _ context: ChannelHandlerContext) {
            switch answer {
            case .json(let status, let body, var headers):
                headers.add(name: "content-type", value: "application/json")
                write(status, headers, body, context)
            case .html(let status):
                write(status, ["content-type": "text/html; charset=utf-8"], "<html>secret page</html>", context)
            case .stall: write(200, ["content-length": "100"], "{", isWhole: false, context)
            case .silence: break
            case .hangUp: context.close(promise: nil)
            }
        }

        private func write(
            _ status: Int, _ headers: HTTPHeaders, _ body: String, isWhole: Bool = true,
            _ context: ChannelHandlerContext
        ) {
            var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
            if isWhole { head.headers.add(name: "content-length", value: "\(body.utf8.count)") }
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
            if isWhole { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
        }
    }
}

let testKey = "sk_test_51veryverysecret"

/// One client for all tests, as long as the process lives.
private let httpClient: HTTPClient = {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
}()

/// What a client waited between its tries, without waiting.
final class Pauses: Sendable {
    private let durations = Mutex<[Duration]>([])

    var all: [Duration] { durations.withLock { $0 } }
    func take(_ duration: Duration) { durations.withLock { $0.append(duration) } }
}

func stripeClient(
    _ url: String, key: String = testKey, pauses: Pauses = Pauses(),
    timeLimits: CallTimeLimits = StripeClient.timeLimits
) -> StripeClient {
    StripeClient(
        secretKey: key, apiURL: url, httpClient: httpClient,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, timeLimits: timeLimits, sleep: pauses.take)
}

/// The error that `call` throws.
func failure<Value>(of call: () async throws(CallError) -> Value) async -> CallError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error
    }
}
