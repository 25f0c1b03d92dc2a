import NIOCore
import ReverseProxy
import TestSupport
import Testing

/// A client and an upstream that change their protocol have a connection as if there were no proxy between.
@Suite(.timeLimit(.minutes(6))) struct TunnelTests {
    private static let asks = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    /// Switches, says hello in the same breath, and then says everything twice.
    private static func doubling() async throws -> ScriptedUpstream {
        try await ScriptedUpstream { number, text in
            if number == 1 { return text.contains("\r\n\r\n") ? [.say(switching + "hello;")] : nil }
            if text == "bye" { return [.say("bye bye"), .hangUp] }
            return [.say(text + text)]
        }
    }

    @Test func bytesGoBothWays() async throws {
        let upstream = try await Self.doubling()
        try await withFront(upstream) { front in
            let client = try await RawClient.connect(port: front.port)
            try await client.send(.get("/socket", fields: Self.asks, closes: false))
            try await client.waits(for: "\r\n\r\nhello;")
            #expect(client.text.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(upstream.received.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="))
            for number in 1...20 {
                try await client.send("<\(number)>")
                try await client.waits(for: "<\(number)><\(number)>")
            }
            try await client.send("bye")
            try await client.waits(for: "bye bye")
            try await eventually("closed") { client.isClosed }
            try await eventually("reported") { front.outcomes.first?.status == 101 }
            #expect(front.outcomes.first?.error == nil)
        }
    }

    @Test func theClientHangsUp() async throws {
        let upstream = try await Self.doubling()
        try await withFront(upstream) { front in
            let client = try await RawClient.connect(port: front.port)
            try await client.send(.get("/socket", fields: Self.asks, closes: false))
            try await client.waits(for: "hello;")
            try await client.close()
            try await eventually("the upstream sees it") { upstream.closedCount == 1 }
            try await eventually("reported") { front.outcomes.count == 1 }
            #expect(try await front.connectionCounts() == (0, 0))
        }
    }

    @Test func aQuietTunnelIsClosed() async throws {
        let upstream = try await Self.doubling()
        let route = ProxyRoute(timeouts: ProxyTimeouts(tunnelIdle: .milliseconds(200)))
        try await withFront(upstream, route: route) { front in
            let client = try await RawClient.connect(port: front.port)
            try await client.send(.get("/socket", fields: Self.asks, closes: false))
            try await client.waits(for: "hello;")
            try await eventually("closed") { client.isClosed && upstream.closedCount == 1 }
        }
    }

    @Test func theUpstreamMayDecline() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("no"))])
        try await withFront(upstream) { front in
            let client = try await RawClient.connect(port: front.port)
            try await client.send(.get("/socket", fields: Self.asks, closes: false))
            try await client.waits(for: "Content-Length: 2\r\nVia: 1.1 tollgate\r\n\r\nno")
            // The connection speaks HTTP as before.
            try await client.send(.get("/other"))
            try await eventually("closed") { client.isClosed }
        }
    }

    @Test func otherProtocolsAreNotAskedFor() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("plain"))])
        try await withFront(upstream) { front in
            let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
            let client = try await RawClient.connect(port: front.port)
            try await client.send(.get(fields: fields, closes: false))
            try await client.waits(for: "plain")
            #expect(!upstream.received.contains("h2c") && !upstream.received.contains("HTTP2-Settings"))
        }
    }
}
