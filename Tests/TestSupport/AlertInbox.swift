package import JSONValue
import NIOCore
package import NIOHTTP1
import Synchronization

/// A receiver of alerts on a port of its own, which remembers what it was sent.
package final class AlertInbox: Sendable {
    package struct Message: Sendable {
        /// By lower-case name.
        package let headers: [String: String]
        package let body: String

        package var id: String { headers["webhook-id"] ?? "" }

        /// As the receiver reads it.
        package var json: JSON { JSON(parsing: body.utf8) ?? .null }
    }

    /// How a try is answered.
    package enum Answer: Sendable {
        case status(Int, HTTPHeaders = [:])
        /// Nothing is said.
        case silence
    }

    private let state = Mutex<[Message]>([])

    /// - Parameters: The message, and how often it has come, this time included.
    private let answer: @Sendable (Message, Int) -> Answer

    private init(answer: @escaping @Sendable (Message, Int) -> Answer) { self.answer = answer }

    /// All that has come, taken or not, in this order.
    package var messages: [Message] { state.withLock(\.self) }

    /// Runs `body` while the receiver runs.
    package static func with<Result>(
        isolation: isolated (any Actor)? = #isolation,
        answering answer: @escaping @Sendable (Message, Int) -> Answer = { _, _ in .status(204) },
        _ body: (AlertInbox, _ url: String) async throws -> Result
    ) async throws -> Result {
        let inbox = AlertInbox(answer: answer)
        return try await withHTTPServer({ Handler(inbox: inbox) }) { url in try await body(inbox, url + "/alerts") }
    }

    private func take(_ message: Message) -> Answer {
        let count = state.withLock { messages in
            messages.append(message)
            return messages.count { $0.id == message.id }
        }
        return answer(message, count)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let inbox: AlertInbox
        private var headers: [String: String] = [:]
        private var body = ""

        init(inbox: AlertInbox) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                headers = Dictionary(head.headers.map { ($0.name.lowercased(), $0.value) }) { $1 }
                body = ""
            case .body(let bytes): body += String(buffer: bytes)
            case .end:
                guard case .status(let status, var fields) = inbox.take(Message(headers: headers, body: body)) else {
                    return
                }
                fields.add(name: "content-length", value: "0")
                let head = HTTPResponseHead(
                    version: .http1_1, status: .init(statusCode: status), headers: fields)
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
