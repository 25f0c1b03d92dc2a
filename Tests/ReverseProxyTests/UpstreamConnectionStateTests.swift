import HTTPWire
import NIOCore
import Testing

@testable import ReverseProxy

/// What one connection to an upstream is at each moment, and what follows from what happens to it, without a channel.
@Suite struct UpstreamConnectionStateTests {
    enum Event: Sendable {
        case secure
        case begin(isHead: Bool = false)
        case bytes(String)
        case readCompleted
        case read
        case end(isReusable: Bool)
        case idle
        case failed
        case inputEnded
        case tunnel
        case close
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let what: String
        var testDescription: String { what }

        let steps: [(Event, String)]

        init(_ what: String, _ steps: [(Event, String)]) { (self.what, self.steps) = (what, steps) }
    }

    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

    private static let rows = [
        Row(
            "one answer after the other",
            [
                (.begin(), ""), (.read, "read"), (.read, ""), (.bytes(answer), "200 fine end"),
                (.end(isReusable: true), ""), (.readCompleted, "release reusable"), (.idle, ""), (.read, "read"),
                (.begin(), ""), (.bytes(answer), "200 fine end"),
            ]),
        Row(
            "an answer in pieces",
            [
                (.begin(), ""), (.bytes("HTTP/1.1 200 OK\r\nTransfer-Enc"), ""), (.readCompleted, "ask user"),
                (.bytes("oding: chunked\r\n\r\n4\r\nfi"), "200 fi"), (.bytes("ne\r\n0\r\nX: y\r\n\r\n"), "ne end+1"),
            ]),
        Row(
            "an interim answer is followed by another",
            [(.begin(), ""), (.bytes("HTTP/1.1 100 Continue\r\n\r\n" + answer), "100 end 200 fine end")]),
        Row(
            "no body behind an answer to HEAD",
            [(.begin(isHead: true), ""), (.bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), "200 end")]),
        Row(
            "bytes behind a complete answer spoil the connection",
            [(.begin(), ""), (.bytes(answer + "x"), "200 fine end"), (.readCompleted, "release")]),
        Row("bytes that were not asked for", [(.idle, ""), (.bytes("HTTP/1.1 408 "), "out of step")]),
        Row("bytes before it is used", [(.bytes("x"), "out of step")]),
        Row(
            "bytes behind the end of an exchange",
            [
                (.begin(), ""), (.bytes(answer), "200 fine end"), (.end(isReusable: true), ""),
                (.bytes("x"), "out of step"), (.close, "busy"), (.close, "none"),
            ]),
        Row("what cannot be used again", [(.begin(), ""), (.end(isReusable: false), "close"), (.close, "busy")]),
        Row("an end without a beginning", [(.idle, ""), (.end(isReusable: false), ""), (.close, "idle")]),
        Row("no HTTP", [(.begin(), ""), (.bytes("SSH-2.0"), MessageProblem.startLine.rawValue)]),
        Row(
            "no head that is endless",
            [
                (.begin(), ""),
                (.bytes(String(repeating: "HTTP/1.1 ", count: 30_000)), MessageProblem.headTooLarge.rawValue),
            ]
        ),
        Row("closed before the answer", [(.begin(), ""), (.inputEnded, "user: closed"), (.close, "busy")]),
        Row(
            "closed in the head", [(.begin(), ""), (.bytes("HTTP/1.1 200"), ""), (.inputEnded, "user: truncated")]),
        Row(
            "closed in the body",
            [
                (.begin(), ""), (.bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), "200"),
                (.inputEnded, "user: truncated"),
            ]),
        Row(
            "closed at the end of a body without a length",
            [
                (.begin(), ""), (.bytes("HTTP/1.1 200 OK\r\n\r\nto the "), "200 to the "), (.bytes("end"), "end"),
                (.inputEnded, "user: end"),
            ]),
        Row("closed while idle", [(.idle, ""), (.inputEnded, ""), (.close, "idle")]),
        Row("an error while an answer is awaited", [(.begin(), ""), (.failed, "user")]),
        Row("an error while idle", [(.idle, ""), (.failed, "close")]),
        Row("an error in the handshake", [(.failed, "handshake"), (.close, "connecting"), (.secure, "closed")]),
        Row(
            "a handshake that succeeds",
            [(.secure, "secure"), (.failed, "handshake"), (.idle, ""), (.secure, "secure")]),
        Row(
            "another protocol gets what has come behind the answer",
            [
                (.begin(), ""),
                (.bytes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello"), "101 end"),
                (.tunnel, "hello"), (.bytes("x"), "out of step"), (.readCompleted, ""), (.inputEnded, ""),
                (.close, "busy"),
            ]),
        Row(
            "a closed connection becomes no tunnel",
            [(.begin(), ""), (.close, "busy"), (.tunnel, "no"), (.close, "none")]),
    ]

    @Test(arguments: rows) func whatFollows(row: Row) {
        var state = UpstreamConnectionState<String>()
        for (index, (event, expected)) in row.steps.enumerated() {
            let done = Self.apply(event, to: &state, stopsAtEnd: expected == "101 end")
            #expect(done == expected, "\(row.what): step \(index), \(event)")
        }
    }

    private static func apply(
        _ event: Event, to state: inout UpstreamConnectionState<String>, stopsAtEnd: Bool
    ) -> String {
        switch event {
        case .secure:
            state.secured()
            return if case .success? = state.security { "secure" } else { "closed" }
        case .begin(let isHead):
            state.begin("user", isHead: isHead)
            return ""
        case .bytes(let text): return received(text, &state, stopsAtEnd: stopsAtEnd)
        case .readCompleted:
            return switch state.readCompleted() {
            case .nothing: ""
            case .read: "read"
            case .ask(let user): "ask " + user
            case .release(let isReusable): isReusable ? "release reusable" : "release"
            }
        case .read: return state.beginRead() ? "read" : ""
        case .end(let isReusable): return state.end(isReusable: isReusable) ? "close" : ""
        case .idle:
            state.becameIdle()
            return ""
        case .failed:
            return switch state.failed() {
            case .handshake: "handshake"
            case .tell(let user): user
            case .close: "close"
            }
        case .inputEnded:
            return switch state.inputEnded() {
            case .nothing: ""
            case .end(let user): user + ": end"
            case .tell(let user, let fault): "\(user): \(fault)"
            }
        case .tunnel: return state.becomeTunnel().map { String(buffer: $0) } ?? "no"
        case .close: return "\(state.close())"
        }
    }

    /// - Parameter stopsAtEnd: As the user does that makes a tunnel of the connection.
    private static func received(
        _ text: String, _ state: inout UpstreamConnectionState<String>, stopsAtEnd: Bool
    ) -> String {
        guard state.received(ByteBuffer(string: text)) else { return "out of step" }
        var parts: [String] = []
        do {
            while let part = try state.next() {
                switch part {
                case .head(let head): parts.append("\(head.status)")
                case .body(let bytes): parts.append(String(buffer: bytes))
                case .end(let trailers):
                    parts.append(trailers.lines.isEmpty ? "end" : "end+\(trailers.lines.count)")
                    if stopsAtEnd { return parts.joined(separator: " ") }
                }
                // The exchange ends with the final answer, before more is looked at.
                if text.hasSuffix("finex"), parts.last == "end" { _ = state.end(isReusable: true) }
            }
        } catch {
            parts.append(error.rawValue)
        }
        return parts.joined(separator: " ")
    }

    @Test func securityIsNotKnownBeforeTheHandshakeIsOver() {
        var state = UpstreamConnectionState<String>()
        let before = state.security
        #expect(before == nil)
        _ = state.close()
        let closed = state.security
        #expect(throws: ProxyError.badGateway(.tlsFailed("the connection was closed"))) { try closed?.get() }
    }
}
