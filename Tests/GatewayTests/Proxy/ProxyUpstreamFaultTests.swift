import NIOCore
import TestSupport
import Testing

/// Upstreams that break, and where: a client never takes for whole what was cut off.
@Suite struct ProxyUpstreamFaultTests {
    @Test func nobodyListens() async throws {
        let upstream = try await ScriptedUpstream.answering([])
        try await upstream.close()
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            for line in ["GET /a", "POST /a"] {
                let answer = try await gateway.ask(.request(line, fields: "Content-Length: 0\r\n"))
                #expect(answer.status == 502 && answer.code == "bad-gateway", "\(answer.text)")
            }
            try await gateway.expectsService("an upstream that is away")
        }
    }

    @Test(arguments: [
        ("gone before the head", [ScriptedUpstream.Step.hangUp]), ("reset before the head", [.reset]),
        ("gone in the head", [.say("HTTP/1.1 200 OK\r\nContent-Le"), .hangUp]),
        ("gone in the first line", [.say("HTTP/1.1 2"), .hangUp]),
        ("reset in the head", [.say("HTTP/1.1 200 OK\r\n"), .pause(.milliseconds(50)), .reset]),
        ("no HTTP", [.say("220 mail.example ESMTP\r\n\r\n")]), ("bytes", [.say("\u{16}\u{3}\u{1}")]),
        ("HTTP/2", [.say("HTTP/2 200 OK\r\n\r\n")]), ("no status", [.say("HTTP/1.1 OK\r\n\r\n")]),
        ("line feeds", [.say("HTTP/1.1 200 OK\nContent-Length: 0\n\n")]),
        ("two lengths", [.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")]),
        ("a length and chunks", [.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n")]),
        ("a folded field", [.say("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n")]),
        ("a bare carriage return", [.say("HTTP/1.1 200 OK\r\n\rX: y\r\nContent-Length: 0\r\n\r\n")]),
        ("a name in two words", [.say("HTTP/1.1 200 OK\r\nContent Length: 0\r\n\r\n")]),
        ("a head too large", [.say("HTTP/1.1 200 OK\r\nX: \(String(repeating: "y", count: 300_000))\r\n\r\n")]),
        ("too many fields", [.say("HTTP/1.1 200 OK\r\n\(String(repeating: "X: y\r\n", count: 501))\r\n")]),
        (
            "a protocol that was not asked for",
            [.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")]
        ),
    ])
    func whatIsNoAnswerIsABadGateway(what: String, steps: [ScriptedUpstream.Step]) async throws {
        let upstream = try await ScriptedUpstream.answering(steps)
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request("POST /a"))
            #expect(answer.status == 502 && answer.code == "bad-gateway", "\(what): \(answer.text)")
            #expect(upstream.connectionCount == 1, "a POST is not sent twice: \(what)")
            try await eventually("it is not used again") { upstream.closedCount == 1 }
            try await gateway.expectsService(what)
        }
    }

    private static let cut: [(String, [ScriptedUpstream.Step])] = [
        ("a length", [.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), .pause(.milliseconds(50)), .hangUp]),
        (
            "chunks",
            [
                .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), .pause(.milliseconds(50)),
                .hangUp,
            ]
        ),
        (
            "a chunk",
            [
                .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"), .pause(.milliseconds(50)),
                .hangUp,
            ]
        ),
        (
            "a bad chunk",
            [
                .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), .pause(.milliseconds(50)),
                .say("zz\r\n"),
            ]
        ),
        ("a reset", [.say("HTTP/1.1 200 OK\r\n\r\nhalf"), .pause(.milliseconds(50)), .reset]),
    ]

    @Test(arguments: cut)
    func whatIsCutOffIsNotEnded(what: String, steps: [ScriptedUpstream.Step]) async throws {
        let upstream = try await ScriptedUpstream.answering(steps)
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request())
            #expect(answer.status == 200 && answer.body.contains("half"), "\(what): \(answer.text)")
            #expect(!answer.body.contains("0\r\n\r\n") && answer.body.utf8.count < 10, "\(what): \(answer.text)")
            try await gateway.expectsService(what)
        }
    }

    /// To HTTP/1.0 the end of the connection may be the end of the answer, so that must not come.
    @Test(arguments: cut)
    func whatIsCutOffIsResetForHTTP10(what: String, steps: [ScriptedUpstream.Step]) async throws {
        let upstream = try await ScriptedUpstream.answering(steps)
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send("GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
            try await client.waits(for: "half")
            try await eventually("the connection ends") { client.isClosed }
            #expect(client.wasReset, "\(what): \(client.text)")
        }
    }

    @Test(arguments: ["GET /a", "POST /a"])
    func whoNeverAnswersIsGivenUp(line: String) async throws {
        let upstream = try await ScriptedUpstream.answering([])
        let routes = "- {name: r, path: /, auth: none, timeouts: {response: 200ms}, upstreams: \"{upstream}\"}"
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            let (answer, duration) = try await timed { try await gateway.ask(.request(line)) }
            #expect(answer.status == 504 && answer.code == "gateway-timeout", "\(answer.text)")
            #expect(duration >= .milliseconds(200))
            #expect(upstream.connectionCount == 1, "a slow upstream is not asked again")
            try await eventually("the upstream is hung up on") { upstream.closedCount == 1 }
        }
    }

    @Test func anAnswerMayComeBeforeTheBody() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("enough"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(
                "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart")
            #expect(answer.status == 200 && answer.body == "enough")
            #expect(answer.fields["connection"] == "close", "the rest of the body would be taken for a request")
            try await eventually("nor is the upstream's used again") { upstream.closedCount == 1 }
        }
    }

    @Test func interimAnswersArePassedOnToWhoKnowsThem() async throws {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        let upstream = try await ScriptedUpstream.answering([.say(hints + hints + .answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request())
            #expect(answer.text.hasPrefix(hints + hints + "HTTP/1.1 200 OK\r\n") && answer.body == "fine")
            let old = try await gateway.ask("GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
            #expect(old.text.hasPrefix("HTTP/1.1 200 OK\r\n") && old.body == "fine")
        }
    }

    @Test(arguments: [
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 204, nil as String?),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", 304, "5"),
        ("GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 204, nil),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "5"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "5"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, nil),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, nil),
        // Whatever its fields say, such an answer ends with its head (RFC 9112, section 6.3).
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 200, nil),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 200, nil),
        ("GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: gzip\r\nContent-Length: five\r\n\r\n", 304, nil),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 204, nil),
    ])
    func whatHasNoBodyGetsNone(method: String, sent: String, status: Int, length: String?) async throws {
        let upstream = try await ScriptedUpstream { number, text in
            text.contains("\r\n\r\n") ? [.say(number == 1 ? sent : .answer("next"))] : nil
        }
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let first = "\(method) /a HTTP/1.1\r\nHost: a\r\n\r\n"
            let text = try await RawClient.ask(gateway.port, first + .request("GET /b"))
            #expect(text.hasSuffix("next") && !text.contains("hello"), "\(text)")
            let head = try RawAnswer(text)
            #expect(head.status == status && head.fields["content-length"] == length, "\(text)")
            #expect(head.fields["transfer-encoding"] == nil && head.body.hasPrefix("HTTP/1.1 200"), "\(text)")
        }
    }

    /// RFC 9112, section 5.1: a proxy takes it out of an answer, and no client sees it.
    @Test func aBlankBeforeAColonIsTakenOut() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 200 OK\r\nX-Old : yes\r\nContent-Length\t: 4\r\n\r\nfine")
        ])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request())
            #expect(answer.status == 200 && answer.body == "fine")
            #expect(answer.text.contains("\r\nX-Old: yes\r\n") && answer.fields["content-length"] == "4")
            let refused = try await gateway.ask(.request(fields: "X-Old : yes\r\n"))
            #expect(refused.status == 400, "in a request it may hide one from the next server")
        }
    }

    @Test func anAnswerWithoutADateGetsOne() async throws {
        let own = "Date: Wed, 26 Nov 2025 00:00:00 GMT\r\n"
        let upstream = try await ScriptedUpstream { _, text in
            text.contains("\r\n\r\n") ? [.say(.answer("fine", fields: text.contains("GET /own") ? own : ""))] : nil
        }
        let routes = """
            - {name: open, path: /, auth: none, upstreams: "{upstream}"}
            - {name: bare, path: /bare, auth: none, responseHeaders: {remove: [Date]}, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            let added = try await gateway.ask(.request())
            #expect(added.fields["date"] == "Wed, 26 Nov 2025 23:00:00 GMT")
            let kept = try await gateway.ask(.request("GET /own"))
            #expect(kept.fields["date"] == "Wed, 26 Nov 2025 00:00:00 GMT")
            let removed = try await gateway.ask(.request("GET /bare"))
            #expect(removed.fields["date"] == nil, "the operator wants none")
        }
    }

    @Test func anAnswerWithoutALengthEndsWithItsConnection() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 200 OK\r\n\r\nto the "), .pause(.milliseconds(20)), .say("end"), .hangUp,
        ])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let new = try await gateway.ask(.request())
            #expect(new.body == "7\r\nto the \r\n3\r\nend\r\n0\r\n\r\n" && new.fields["transfer-encoding"] == "chunked")
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send("GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            try await eventually("the connection ends") { client.isClosed }
            let old = try RawAnswer(client.text)
            #expect(old.body == "to the end" && old.fields["transfer-encoding"] == nil && !client.wasReset)
            #expect(old.fields["connection"] == "close")
        }
    }
}
