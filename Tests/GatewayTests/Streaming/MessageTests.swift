import NIOCore
import TestSupport
import Testing
import TollgateDev

/// The finer points of HTTP/1.1 between a client and an upstream.
@Suite(.timeLimit(.minutes(6))) struct MessageTests {
    /// Runs `body` with a client connected to a gateway before an upstream at `/api`.
    private static func run(
        _ body: @escaping @Sendable (KeyedGateways, ManualUpstream, RawClient) async throws -> Void
    ) async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        try await withRoutedGateways(file: file) { gateways in
            let client = try await RawClient.connect(port: gateways.port)
            try await body(gateways, upstream, client)
            try? await client.close()
        }
        try await upstream.close()
    }

    @Test func trailersPassBothWays() async throws {
        try await Self.run { gateways, upstream, client in
            let fields = "TE: trailers\r\nTransfer-Encoding: chunked\r\n" + (try gateways.authorization())
            try await client.send(
                "POST /api HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(Wire.chunk("up"))0\r\nX-Digest: abc\r\n\r\n")
            try await upstream.waits(for: "2\r\nup\r\n0\r\nX-Digest: abc\r\n\r\n")
            #expect(upstream.text.contains("TE: trailers\r\n"))
            try await upstream.say(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Server-Timing\r\n\r\n"
                    + "\(Wire.chunk("down"))0\r\nServer-Timing: total;dur=5\r\nSet-Cookie: a=b\r\n\r\n")
            try await client.waits(for: "4\r\ndown\r\n0\r\nServer-Timing: total;dur=5\r\n\r\n")
            #expect(!client.text.contains("Set-Cookie"), "a trailer must not do what only a header may")
        }
    }

    @Test func aBodyIsSentWhenTheUpstreamAsksForIt() async throws {
        try await Self.run { gateways, upstream, client in
            let fields = "Expect: 100-continue\r\n" + (try gateways.authorization())
            try await client.send("POST /api HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: 4\r\n\r\n")
            try await upstream.waits(for: "\r\n\r\n")
            #expect(upstream.text.lowercased().contains("expect: 100-continue\r\n"))
            #expect(client.text.isEmpty, "only the upstream asks for it")
            try await upstream.say("HTTP/1.1 100 Continue\r\n\r\n")
            try await client.waits(for: "HTTP/1.1 100 Continue\r\n\r\n")
            try await client.send("body")
            try await upstream.waits(for: "\r\n\r\nbody")
            try await upstream.say(Wire.answer("thanks"))
            try await client.waits(for: "thanks")
            let used = try await gateways.usedCalls()
            #expect(used == 1)
        }
    }

    @Test func aBodyThatIsNotWantedIsNotSent() async throws {
        try await Self.run { gateways, upstream, client in
            let head = "POST /api HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n"
            let anonymous = try await RawHTTP.exchange(port: gateways.port, pieces: [head + "\r\n"])
            #expect(anonymous.map(\.status) == [401])
            #expect(upstream.connectionCount == 0)
            try await client.send(head + gateways.authorization() + "\r\n")
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say(Wire.answer("no", status: "413 Content Too Large"))
            try await eventually("the client is answered and closed") { client.isClosed }
            #expect(client.text.hasPrefix("HTTP/1.1 413 ") && client.text.hasSuffix("\r\n\r\nno"))
            #expect(client.text.contains("Connection: close\r\n"), "the body would be taken for a request")
        }
    }

    @Test func earlyHintsGoBeforeTheAnswer() async throws {
        try await Self.run { gateways, upstream, client in
            try await client.send(Wire.get("/api", fields: gateways.authorization()))
            try await upstream.waits(for: "\r\n\r\n")
            for file in ["a.css", "b.js"] {
                try await upstream.say("HTTP/1.1 103 Early Hints\r\nLink: </\(file)>; rel=preload\r\n\r\n")
                try await client.waits(for: "Link: </\(file)>; rel=preload\r\n\r\n")
            }
            #expect(client.text.hasPrefix("HTTP/1.1 103 Early Hints\r\n"))
            #expect(!client.text.contains("HTTP/1.1 200"))
            try await upstream.say(Wire.answer("page"))
            try await client.waits(for: "\r\n\r\npage")
            #expect(client.text.contains("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test func compressedBodiesAreNotTouched() async throws {
        // `printf hello | gzip`
        let body: [UInt8] = [
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
            0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
        ]
        try await Self.run { gateways, upstream, client in
            let fields = "Content-Encoding: gzip\r\nAccept-Encoding: gzip, br\r\n" + (try gateways.authorization())
            let head = "POST /api HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: \(body.count)\r\n\r\n"
            try await client.send(Array(head.utf8) + body)
            try await eventually("the body goes up") { upstream.received.suffix(body.count) == body[...] }
            #expect(upstream.text.contains("Content-Encoding: gzip\r\n"))
            #expect(upstream.text.contains("Accept-Encoding: gzip, br\r\n"))
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n"
                + "Content-Length: \(body.count)\r\n\r\n"
            try await upstream.say(Array(answer.utf8) + body)
            try await eventually("the body comes down") { client.bytes.suffix(body.count) == body[...] }
            #expect(client.text.contains("Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"))
            #expect(client.text.contains("Content-Length: \(body.count)\r\n"))
        }
    }

    @Test func aThousandRequestsOnOneConnection() async throws {
        let upstream = try await ScriptedUpstream { number, text in
            text.contains("\r\n\r\n") ? [.say(Wire.answer("answer \(number);"))] : nil
        }
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        try await withRoutedGateways(file: file) { gateways in
            let client = try await RawClient.connect(port: gateways.port)
            let request = Wire.get("/api", fields: try gateways.authorization())
            for number in 1...1000 {
                try await client.send(request)
                try await client.waits(for: "answer \(number);")
                client.clear()
            }
            #expect(!client.isClosed)
            #expect(upstream.connectionCount == 1)
            let used = try await gateways.usedCalls()
            #expect(used == 1000)
            try await client.close()
        }
        try await upstream.close()
    }

    /// Proxied, answered on the spot, and answered by the control plane: whichever is slow, the order is the client's.
    @Test func pipelinedRequestsAreAnsweredInOrderWhoeverAnswers() async throws {
        let upstream = try await ScriptedUpstream { number, text in
            guard text.contains("\r\n\r\n") else { return nil }
            let answer = ScriptedUpstream.Step.say(Wire.answer("proxied \(number)"))
            return number % 2 == 1 ? [.pause(.milliseconds(100)), answer] : [answer]
        }
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        try await withRoutedGateways(file: file) { gateways in
            let own = try gateways.authorization()
            let requests = [
                Wire.get("/api/1", fields: own), Wire.post("/verify-auth", fields: own),
                Wire.get("/usage", fields: own),
                Wire.get("/api/2", fields: own), Wire.get("/nothing", fields: own), Wire.get("/api/3", fields: own),
                Wire.get("/health"), Wire.get("/authorize", fields: own), Wire.get("/api/4"),
                Wire.post("/api/5", fields: own, body: "a body"), Wire.get("/keys", fields: own),
            ]
            let answers = try await RawHTTP.exchange(
                port: gateways.port, pieces: [requests.joined()], answers: requests.count)
            #expect(answers.map(\.status) == [200, 200, 200, 200, 404, 200, 200, 200, 401, 200, 200])
            let parts = [
                "proxied 1", #""success":true"#, #""rateLimit":"#, "proxied 2", "not-found", "proxied 3",
                #"{"status":"ok"}"#, "", "session-token-missing", "proxied 4", #""keys":["#,
            ]
            for (answer, part) in zip(answers, parts) {
                #expect(part.isEmpty ? answer.body.isEmpty : answer.body.contains(part), "\(part): \(answer.body)")
            }
            let used = try await gateways.usedCalls()
            #expect(used == 6, "proxied four times, verified once, asked about once")
        }
        try await upstream.close()
    }
}
