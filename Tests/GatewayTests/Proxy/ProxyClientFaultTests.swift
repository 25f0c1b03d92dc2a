import NIOCore
import TestSupport
import Testing

/// Clients that vanish, stall and send too much: the upstream never sees a whole request that was none.
@Suite struct ProxyClientFaultTests {
    enum End: CaseIterable {
        case close
        case reset
        case stopSending

        func happens(to client: RawClient) async throws {
            switch self {
            case .close: try await client.close()
            case .reset: try await client.reset()
            case .stopSending: try await client.stopSending()
            }
        }
    }

    @Test(
        arguments: [
            ("Content-Length: 10\r\n", "abcd", "abcd"),
            ("Transfer-Encoding: chunked\r\n", "4\r\nabcd\r\n", "4\r\nabcd\r\n"),
        ], End.allCases)
    func vanishedInItsBody(body: (framing: String, part: String, passed: String), end: End) async throws {
        let upstream = try await ScriptedUpstream { _, _ in nil }
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(.request("POST /a", fields: body.framing, body: body.part))
            try await eventually("the part is there") { upstream.received.hasSuffix(body.passed) }
            try await end.happens(to: client)
            try await eventually("the upstream is hung up on") { upstream.closedCount == 1 }
            #expect(upstream.received == .forwarded("POST /a", framing: body.framing, body: body.passed))
            #expect(client.bytes.isEmpty, "nothing is answered")
            try await gateway.expectsService("a client that vanished")
        }
    }

    @Test func vanishedWhileTheUpstreamWorks() async throws {
        let upstream = try await ScriptedUpstream.answering([])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(.request())
            try await eventually("the request is there") { upstream.received == .forwarded() }
            try await client.reset()
            try await eventually("the upstream is hung up on") { upstream.closedCount == 1 }
            #expect(client.bytes.isEmpty)
            try await gateway.expectsService("a client that vanished")
        }
    }

    /// A client that has hung up looks like one that only sends nothing more, until it is written to.
    @Test(arguments: [End.close, .reset])
    func vanishedInTheAnswer(end: End) async throws {
        let pieces = Array(
            repeating: [ScriptedUpstream.Step.pause(.milliseconds(50)), .say("part")], count: 200)
        let upstream = try await ScriptedUpstream.answering(
            [.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")] + pieces.flatMap(\.self))
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(.request())
            try await client.waits(for: "part")
            try await end.happens(to: client)
            try await eventually("the upstream is hung up on") { upstream.closedCount == 1 }
            try await gateway.expectsService("a client that vanished")
        }
    }

    @Test func aRequestMayComeByteByByte() async throws {
        let upstream = try await ScriptedUpstream.answering(after: "hello")
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            let framing = "Content-Length: 5\r\n"
            for byte in String.request("POST /a", fields: framing, body: "hello").utf8 { try await client.send([byte]) }
            try await client.waits(for: "fine")
            #expect(upstream.received == .forwarded("POST /a", framing: framing, body: "hello"))
        }
    }

    @Test func aBodyThatStallsIsTimedOut() async throws {
        let upstream = try await ScriptedUpstream { _, _ in nil }
        let routes = "- {name: r, path: /, auth: none, timeouts: {idle: 200ms}, upstreams: \"{upstream}\"}"
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request("POST /a", fields: "Content-Length: 10\r\n", body: "abc"))
            #expect(answer.status == 408 && answer.code == "request-timeout", "\(answer.text)")
            try await eventually("the upstream is hung up on") { upstream.closedCount == 1 }
            #expect(upstream.received.hasSuffix("\r\n\r\nabc"))
        }
    }

    private static let limited = "- {name: r, path: /, limits: {body: 10}, upstreams: \"{upstream}\"}"

    @Test func aBodyThatIsAnnouncedTooLargeCostsNothing() async throws {
        let upstream = try await ScriptedUpstream.answering(after: "0123456789")
        try await withRoutedGateway(routes: Self.limited, upstream: upstream) { gateway in
            let authorization = "Authorization: \(try gateway.bearer())\r\n"
            let refused = try await gateway.ask(
                .request("POST /a", fields: authorization + "Content-Length: 11\r\n", body: "01234567890"))
            #expect(refused.status == 413 && refused.code == "body-too-large", "\(refused.text)")
            gateway.expectsNothingAtUpstream("11 bytes of 10")
            let passed = try await gateway.ask(
                .request("POST /a", fields: authorization + "Content-Length: 10\r\n", body: "0123456789"))
            #expect(passed.status == 200)
            #expect(passed.fields["ratelimit"]?.contains(#""month";r=99999;"#) == true, "\(passed.text)")
        }
    }

    @Test func aBodyThatGrowsTooLargeIsNeverComplete() async throws {
        let upstream = try await ScriptedUpstream { _, _ in nil }
        try await withRoutedGateway(routes: Self.limited, upstream: upstream) { gateway in
            let fields = "Authorization: \(try gateway.bearer())\r\nTransfer-Encoding: chunked\r\n"
            for body in ["5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n", "b\r\n01234567890\r\n0\r\n\r\n"] {
                let answer = try await gateway.ask(.request("POST /a", fields: fields, body: body))
                #expect(answer.status == 413 && answer.code == "body-too-large", "\(answer.text)")
                try await eventually("the upstream is hung up on") { upstream.closedCount == upstream.connectionCount }
                #expect(!upstream.received.contains("0\r\n\r\n"))
            }
            try await gateway.expectsService("bodies too large")
        }
    }

    @Test func whetherToContinueIsTheUpstreamsWord() async throws {
        let upstream = try await ScriptedUpstream { number, text in
            if number == 1 { return text.hasSuffix("\r\n\r\n") ? [.say("HTTP/1.1 100 Continue\r\n\r\n")] : nil }
            return text == "hello" ? [.say(.answer("fine"))] : nil
        }
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            let (expect, length) = ("Expect: 100-continue\r\n", "Content-Length: 5\r\n")
            try await client.send(.request("POST /a", fields: expect + length))
            try await client.waits(for: "HTTP/1.1 100 Continue\r\n\r\n")
            #expect(upstream.received == .forwarded("POST /a", passed: expect, framing: length))
            try await client.send("hello")
            try await client.waits(for: "fine")
            #expect(upstream.received.hasSuffix("\r\n\r\nhello"))
        }
    }

    @Test func whoMayNotPassIsNotToldToContinue() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.limited, upstream: upstream) { gateway in
            let fields = "Expect: 100-continue\r\nContent-Length: 5\r\n"
            let unauthenticated = try await gateway.ask(.request("POST /a", fields: fields))
            #expect(unauthenticated.status == 401 && !unauthenticated.text.contains("100 Continue"))
            #expect(unauthenticated.fields["connection"] == "close")
            let large = try await gateway.ask(
                .request("POST /a", fields: "Expect: 100-continue\r\nContent-Length: 11\r\n"))
            #expect(large.status == 413 && !large.text.contains("100 Continue"))
            gateway.expectsNothingAtUpstream("refused before the body")
        }
    }
}
