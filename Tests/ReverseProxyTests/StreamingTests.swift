import Foundation
import NIOCore
import ReverseProxy
import TestSupport
import Testing

/// Bodies pass through; they are not gathered.
@Suite(.serialized, .timeLimit(.minutes(6))) struct StreamingTests {
    /// Of this process, in bytes.
    private static func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return try #require(Int(text.split(separator: " ")[1])) * 4096
    }

    /// How much more memory 200 MB may take than none: buffers of three connections.
    private static let allowance = 40 << 20

    @Test func aLongBodyTakesNoMemory() async throws {
        let upstream = try await EchoUpstream()
        let front = try await Front.start(UpstreamGroupSettings(ports: upstream.port))
        let before = try Self.residentBytes()
        let total = 200 << 20
        let client = try await BulkClient(port: front.port, bytes: total)
        var peak = before
        try await eventually("all is back", within: .seconds(90)) {
            peak = max(peak, try Self.residentBytes())
            return client.isEnded
        }
        #expect(client.received == total)
        #expect(peak - before < Self.allowance, "\((peak - before) >> 20) MB more")
        let outcome = try #require(front.outcomes.first)
        #expect(outcome.requestBytes == total && outcome.answerBytes == total && outcome.error == nil)
        try? await client.close()
        try await front.close()
        try await upstream.close()
    }

    @Test func aClientThatDoesNotReadStopsTheUpstream() async throws {
        let upstream = try await EchoUpstream()
        let front = try await Front.start(UpstreamGroupSettings(ports: upstream.port))
        let total = 200 << 20
        let client = try await BulkClient(port: front.port, bytes: total, reads: false)
        try await eventually("the client is stopped") {
            let sent = client.sent
            try await Task.sleep(for: .milliseconds(300))
            return client.sent == sent
        }
        // What the kernel's buffers of four sockets hold, and ours.
        #expect(client.sent < total / 2)
        try await client.startReading()
        try await eventually("all is back", within: .seconds(90)) { client.isEnded }
        #expect(client.received == total)
        try? await client.close()
        try await front.close()
        try await upstream.close()
    }

    @Test func aClientThatNeverReadsIsGivenUp() async throws {
        let upstream = try await EchoUpstream()
        let route = ProxyRoute(timeouts: ProxyTimeouts(idle: .milliseconds(300)))
        let front = try await Front.start(UpstreamGroupSettings(ports: upstream.port), route: route)
        let client = try await BulkClient(port: front.port, bytes: 200 << 20, reads: false)
        try await eventually("given up") { front.outcomes.first != nil }
        #expect(front.outcomes.first?.error != nil)
        #expect(try await front.connectionCounts() == (0, 0))
        try? await client.close()
        try await front.close()
        try await upstream.close()
    }

    @Test func eventsArriveOneByOne() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
            .pause(.milliseconds(100)), .say("9\r\ndata: 1\n\n\r\n"), .pause(.milliseconds(300)),
            .say("9\r\ndata: 2\n\n\r\n"), .pause(.seconds(30)),
        ])
        try await withFront(upstream) { front in
            let client = try await RawClient.connect(port: front.port)
            try await client.send(.get())
            try await client.waits(for: "text/event-stream")
            #expect(!client.text.contains("data: 1"), "the head comes before the first event")
            try await client.waits(for: "data: 1")
            #expect(!client.text.contains("data: 2"), "an event comes when it is sent")
            try await client.waits(for: "data: 2")
            try await client.close()
            try await eventually("the upstream sees that the client has gone") { upstream.closedCount == 1 }
        }
    }

    @Test func trailersPassBothWays() async throws {
        let upstream = try await EchoUpstream()
        let front = try await Front.start(UpstreamGroupSettings(ports: upstream.port))
        let text = try await RawClient.ask(
            front.port,
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, TE\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0\r\nX-Sum: 900\r\nX-Tollgate-User: forged\r\nAuthorization: x\r\n\r\n"
        ) { $0.contains("X-Sum: 900\r\n") }
        #expect(text.hasSuffix("3\r\nabc\r\n0\r\nX-Sum: 900\r\n\r\n"), "\(text)")
        try await front.close()
        try await upstream.close()
    }

    @Test func theUpstreamDecidesWhetherToContinue() async throws {
        let upstream = try await ScriptedUpstream { number, text in
            if text.hasSuffix("\r\n\r\n") && number == 1 { return [.say("HTTP/1.1 100 Continue\r\n\r\n")] }
            return text.hasSuffix("hello") ? [.say(.answer("fine"))] : nil
        }
        try await withFront(upstream) { front in
            let client = try await RawClient.connect(port: front.port)
            try await client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            try await client.waits(for: "HTTP/1.1 100 Continue\r\n\r\n")
            #expect(upstream.received.contains("Expect: 100-continue"))
            try await client.send("hello")
            try await client.waits(for: "fine")
            try await client.close()
        }
    }

    @Test func theUpstreamMayRefuseABodyBeforeItIsSent() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        ])
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(
                front.port, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            #expect(text.hasPrefix("HTTP/1.1 417"))
        }
    }

    @Test func earlyHintsPass() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"), .say(.answer("fine")),
        ])
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(front.port, .get())
            #expect(text.hasPrefix("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 200"))
        }
    }
}
