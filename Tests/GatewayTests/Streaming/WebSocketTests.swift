import TestSupport
import Testing
import TollgateDev

/// A WebSocket through the gateway: admitted once as the request that it begins with, and left alone from then on.
@Suite(.timeLimit(.minutes(6))) struct WebSocketTests {
    /// Runs `body` before an upstream at `/socket`, whose call is given back should it fail.
    private static func run(
        _ more: String = "charge: success",
        _ body: @escaping @Sendable (KeyedGateways, ManualUpstream) async throws -> Void
    ) async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/socket", to: upstream.port, more))
        try await withRoutedGateways(file: file) { gateways in try await body(gateways, upstream) }
        try await upstream.close()
    }

    /// A client whose handshake is done.
    private static func open(_ gateways: KeyedGateways, _ upstream: ManualUpstream) async throws -> RawClient {
        let client = try await RawClient.connect(port: gateways.port)
        try await client.send(
            Wire.get("/socket/chat", fields: WebSocket.asks + gateways.authorization()))
        try await upstream.waits(for: "\r\n\r\n")
        try await upstream.say(WebSocket.switching(upstream.text))
        try await client.waits(for: "\r\n\r\n")
        #expect(client.text.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        return client
    }

    @Test func theAcceptValueIsThatOfTheStandard() {
        #expect(WebSocket.accept(WebSocket.key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func framesAreEchoedAndTheCallIsCountedOnce() async throws {
        try await Self.run { gateways, upstream in
            let client = try await Self.open(gateways, upstream)
            #expect(client.text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
            #expect(upstream.text.contains("X-Tollgate-User: user_abc\r\n"))
            var frames = (1...20).map { WebSocket.Frame.text("message \($0)") }
            frames.append(WebSocket.Frame(opcode: .binary, payload: (0..<70_000).map { UInt8($0 & 0xff) }))
            frames.append(WebSocket.Frame(opcode: .binary, payload: [UInt8](repeating: 0xff, count: 300)))
            for (place, frame) in frames.enumerated() {
                try await client.send(WebSocket.client(frame))
                try await eventually("frame \(place) goes up") {
                    WebSocket.frames(in: upstream.received).count == place + 1
                }
                try await upstream.say(WebSocket.bytes(frame))
                try await eventually("frame \(place) comes down") {
                    WebSocket.frames(in: client.bytes).count == place + 1
                }
            }
            #expect(WebSocket.frames(in: upstream.received) == frames)
            #expect(WebSocket.frames(in: client.bytes) == frames)

            try await client.send(WebSocket.client(.close))
            try await eventually("the close goes up") { WebSocket.frames(in: upstream.received).last == .close }
            try await upstream.say(WebSocket.bytes(.close))
            try await upstream.hangUp()
            try await eventually("the client sees the end") { client.isClosed }
            #expect(WebSocket.frames(in: client.bytes).last == .close)
            let used = try await gateways.usedCalls()
            #expect(used == 1)
        }
    }

    /// Nothing that is sent before the protocol has changed may be lost, or taken for a request.
    @Test func framesBehindTheRequestWaitForTheirProtocol() async throws {
        try await Self.run { gateways, upstream in
            let client = try await RawClient.connect(port: gateways.port)
            let request = Wire.get("/socket", fields: WebSocket.asks + (try gateways.authorization()))
            try await client.send(Array(request.utf8) + WebSocket.client(.text("first")))
            try await upstream.waits(for: "\r\n\r\n")
            for number in 1...50 { try await client.send(WebSocket.client(.text("early \(number)"))) }
            #expect(WebSocket.frames(in: upstream.received).isEmpty)
            try await upstream.say(
                Array(WebSocket.switching(upstream.text).utf8) + WebSocket.bytes(.text("welcome")))
            try await eventually("all frames arrive") { WebSocket.frames(in: upstream.received).count == 51 }
            let expected = ["first"] + (1...50).map { "early \($0)" }
            #expect(WebSocket.frames(in: upstream.received) == expected.map { .text($0) })
            try await eventually("the greeting arrives") { WebSocket.frames(in: client.bytes) == [.text("welcome")] }
            try await client.close()
        }
    }

    @Test func theUpstreamLeaves() async throws {
        try await Self.run { gateways, upstream in
            let client = try await Self.open(gateways, upstream)
            try await upstream.say(WebSocket.bytes(.text("last words")) + WebSocket.bytes(.close))
            try await upstream.hangUp()
            try await eventually("the client sees it") { client.isClosed }
            #expect(WebSocket.frames(in: client.bytes) == [.text("last words"), .close])
            let used = try await gateways.usedCalls()
            #expect(used == 1)
        }
    }

    @Test func theClientLeaves() async throws {
        try await Self.run { gateways, upstream in
            let client = try await Self.open(gateways, upstream)
            try await client.send(WebSocket.client(.text("last words")))
            try await client.close()
            try await eventually("the upstream sees it") { upstream.closedCount == 1 }
            #expect(WebSocket.frames(in: upstream.received) == [.text("last words")])
            let used = try await gateways.usedCalls()
            #expect(used == 1)
        }
    }

    @Test func anUpgradeThatTheRouteDoesNotAllowIsNotPassedOn() async throws {
        try await Self.run("upgrades: []") { gateways, upstream in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.get("/socket", fields: WebSocket.asks + gateways.authorization()))
            try await upstream.waits(for: "\r\n\r\n")
            #expect(!upstream.text.lowercased().contains("upgrade"))
            try await upstream.say(Wire.answer("plain"))
            try await client.waits(for: "plain")
            #expect(client.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            try await client.close()
        }
    }

    /// The upstream says 101 although it was not asked.
    @Test func aSwitchThatNobodyAskedForIsNoAnswer() async throws {
        try await Self.run("upgrades: [], charge: success") { gateways, upstream in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.get("/socket", fields: WebSocket.asks + gateways.authorization()))
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say(WebSocket.switching("Sec-WebSocket-Key: \(WebSocket.key)\r\n"))
            try await client.waits(for: "bad-gateway")
            #expect(client.text.hasPrefix("HTTP/1.1 502 "))
            try await eventually("the call is given back") { try await gateways.usedCalls() == 0 }
            try await client.close()
        }
    }

    @Test func aKeyInTheQueryIsNoCredential() async throws {
        try await Self.run { gateways, upstream in
            let key = try await gateways.makeKey().text
            let token = try gateways.identity.token(user: "user_abc", plan: "free", now: gateways.time.now())
            for query in ["api_key=\(key)", "key=\(key)", "access_token=\(token)", "X-API-Key=\(key)"] {
                let answers = try await RawHTTP.exchange(
                    port: gateways.port, pieces: [Wire.get("/socket?\(query)", fields: WebSocket.asks)])
                #expect(answers.map(\.status) == [401], "\(query.prefix(12))")
            }
            #expect(upstream.connectionCount == 0)
        }
    }
}
