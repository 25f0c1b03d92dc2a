import NIOCore
import NIOPosix
import TestSupport
import Testing

/// A client that has said all may close its half of the connection, and hears the answer all the same (RFC 9112,
/// section 9.6): `printf … | nc -N`.
@Suite(.timeLimit(.minutes(6))) struct HalfCloseTests {
    private static let slow = [ScriptedUpstream.Step.pause(.milliseconds(300)), .say(.answer("fine"))]

    /// Sends `request`, then nothing more, and gives all that comes until the gateway hangs up.
    private static func ask(_ gateway: RoutedGateway, _ request: String) async throws -> String {
        let client = try await RawClient.connect(port: gateway.port)
        try await client.send(request)
        try await client.stopSending()
        do {
            try await eventually("hung up on") { client.isClosed }
        } catch {
            throw NeverHappened(description: "not hung up on after \(request): \(client.text)")
        }
        #expect(!client.wasReset)
        return client.text
    }

    @Test func aCompleteRequestIsAnswered() async throws {
        let upstream = try await ScriptedUpstream.answering(Self.slow)
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            for connection in ["", "Connection: close\r\n"] {
                let text = try await Self.ask(gateway, "GET /a HTTP/1.1\r\nHost: a\r\n\(connection)\r\n")
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\nfine"), "\(text)")
                #expect(text.contains("Connection: close\r\n"))
            }
            let own = try await Self.ask(gateway, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(own.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(own)")
            let token = try gateway.bearer()
            let verified = try await Self.ask(
                gateway, "POST /verify-auth HTTP/1.1\r\nHost: a\r\nAuthorization: \(token)\r\n\r\n")
            #expect(verified.contains("\"success\":true"), "\(verified)")
        }
    }

    /// The body waits here until Redis has admitted the request, and the end of the connection with it.
    @Test func aCompleteBodyIsCarried() async throws {
        let upstream = try await ScriptedUpstream.answering(after: "hello")
        let route = "- {name: r, path: /, upstreams: \"{upstream}\"}"
        try await withRoutedGateway(routes: route, upstream: upstream) { gateway in
            let fields = "Host: a\r\nAuthorization: \(try gateway.bearer())\r\nContent-Length: 5\r\n"
            let text = try await Self.ask(gateway, "POST /a HTTP/1.1\r\n\(fields)\r\nhello")
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("fine"), "\(text)")
            let (partial, before) = ("POST /a HTTP/1.1\r\n\(fields)\r\nhell", upstream.closedCount)
            #expect(try await Self.ask(gateway, partial).isEmpty, "what was not complete is broken off")
            try await eventually("the upstream learns of it") {
                upstream.closedCount > before || !upstream.received.hasSuffix("hell")
            }
        }
    }

    @Test func everyCompleteRequestIsAnswered() async throws {
        let upstream = try await ScriptedUpstream.answering(Self.slow)
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
            let health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
            let text = try await Self.ask(gateway, request + health + request + "GET /a HT")
            #expect(text.ranges(of: "HTTP/1.1 200 OK\r\n").count == 3, "\(text)")
        }
    }

    @Test func anAnswerThatHasBegunIsCompleted() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        try await withRoutedGateways(file: file) { gateways in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.get("/api", fields: gateways.authorization()))
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npart")
            try await client.waits(for: "part")
            try await client.stopSending()
            try await upstream.say("rest")
            try await client.waits(for: "partrest")
            try await eventually("closed") { client.isClosed }
        }
        try await upstream.close()
    }

    private static let route = "- {name: r, path: /, auth: none, upgrades: [tcp], upstreams: \"{upstream}\"}"
    private static let upgrade =
        "POST /attach HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
    private static let switching = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

    /// As `echo abc | docker exec -i` has it: the end of the input is an input too.
    @Test(arguments: [true, false]) func anUpgradedConnectionPassesItOn(isEarly: Bool) async throws {
        let upstream = try await EndingUpstream(switching: Self.switching)
        let unused = try await ScriptedUpstream.answering([])
        try await withRoutedGateway(
            routes: Self.route.replacing("{upstream}", with: "http://127.0.0.1:\(upstream.port)"), upstream: unused
        ) { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(Self.upgrade)
            if !isEarly { try await client.waits(for: "\r\n\r\n") }
            try await client.send("abc")
            try await client.stopSending()
            try await client.waits(for: "heard abc to its end")
            try await eventually("closed") { client.isClosed }
            #expect(!client.wasReset)
        }
        try await upstream.close()
    }

    /// The other way round.
    @Test func anUpstreamThatIsDoneStillHears() async throws {
        let upstream = try await EndingUpstream(switching: Self.switching + "all that I say", endsFirst: true)
        let unused = try await ScriptedUpstream.answering([])
        try await withRoutedGateway(
            routes: Self.route.replacing("{upstream}", with: "http://127.0.0.1:\(upstream.port)"), upstream: unused
        ) { gateway in
            let client = try await RawClient.connect(port: gateway.port, reads: false)
            try await client.send(Self.upgrade)
            try await client.startReading()
            try await client.waits(for: "all that I say")
            try await eventually("the end is passed on") { client.hasEnded }
            try await client.send("abc")
            try await client.send("def")
            try await client.stopSending()
            try await eventually("it hears all") { upstream.heard == "abcdef" && upstream.hasEnded }
        }
        try await upstream.close()
    }
}
