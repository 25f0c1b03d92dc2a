import TestSupport
import Testing
import TollgateDev

/// A credential among the subprotocols of a WebSocket: read by the gateway, and by no upstream.
@Suite(.timeLimit(.minutes(6))) struct SubprotocolTests {
    /// What a client was answered, and what the upstream got.
    private struct Handshake {
        let answer: String
        let upstream: String

        var chosen: [String] { Self.protocols(answer) }
        var offered: [String] { Self.protocols(upstream) }

        private static func protocols(_ head: String) -> [String] {
            let name = "sec-websocket-protocol: "
            return head.split(separator: "\r\n").filter { $0.lowercased().hasPrefix(name) }
                .map { String($0.dropFirst(name.count)) }
        }
    }

    private static func run(
        _ more: String = "", _ body: @escaping @Sendable (KeyedGateways, ManualUpstream) async throws -> Void
    ) async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/socket", to: upstream.port, more))
        try await withRoutedGateways(file: file) { gateways in try await body(gateways, upstream) }
        try await upstream.close()
    }

    private static func open(
        _ gateways: KeyedGateways, _ upstream: ManualUpstream, offering fields: String, choosing chosen: String? = nil
    ) async throws -> Handshake {
        let client = try await RawClient.connect(port: gateways.port)
        let before = upstream.received.count
        try await client.send(Wire.get("/socket", fields: WebSocket.asks + fields))
        try await eventually("the request arrives") {
            String(decoding: upstream.received.dropFirst(before), as: UTF8.self).hasSuffix("\r\n\r\n")
        }
        let request = String(decoding: upstream.received.dropFirst(before), as: UTF8.self)
        let choice = chosen.map { "Sec-WebSocket-Protocol: \($0)\r\n\r\n" } ?? "\r\n"
        // A line end is one character.
        try await upstream.say(WebSocket.switching(request).dropLast(1) + choice)
        try await client.waits(for: "\r\n\r\n")
        try await client.send(WebSocket.client(.text("hello")))
        try await eventually("the socket is open") {
            Array(upstream.received.dropFirst(before)).count > request.utf8.count
        }
        try await client.close()
        return Handshake(answer: client.text, upstream: request)
    }

    @Test func aTokenIsReadAndTakenOut() async throws {
        try await Self.run { gateways, upstream in
            let token = try gateways.identity.token(user: "user_abc", plan: "free", now: gateways.time.now())
            let field = "Sec-WebSocket-Protocol: chat.v2, tollgate.bearer ,\ttollgate.bearer.\(token), chat.v1\r\n"
            let chosen = try await Self.open(gateways, upstream, offering: field, choosing: "chat.v1")
            #expect(chosen.answer.hasPrefix("HTTP/1.1 101 "))
            #expect(chosen.offered == ["chat.v2, chat.v1"])
            #expect(chosen.chosen == ["chat.v1"])
            #expect(chosen.upstream.contains("X-Tollgate-User: user_abc\r\n"))
            #expect(!chosen.upstream.contains(token) && !chosen.answer.contains(token))
            let several = "Sec-WebSocket-Protocol: chat\r\nsec-websocket-protocol: tollgate.bearer.\(token)\r\n"
            let lines = try await Self.open(gateways, upstream, offering: several, choosing: "chat")
            #expect(lines.offered == ["chat"] && lines.chosen == ["chat"])
            let used = try await gateways.usedCalls()
            #expect(used == 2)
        }
    }

    /// A browser fails when it has offered subprotocols and none is chosen, or one that it did not offer.
    @Test func theBareNameIsChosenWhereTheUpstreamChoosesNone() async throws {
        try await Self.run { gateways, upstream in
            let token = try gateways.identity.token(user: "user_abc", plan: "free", now: gateways.time.now())
            let both = "Sec-WebSocket-Protocol: tollgate.bearer, tollgate.bearer.\(token)\r\n"
            let alone = try await Self.open(gateways, upstream, offering: both)
            #expect(alone.offered == [] && alone.chosen == ["tollgate.bearer"])
            let unnamed = "Sec-WebSocket-Protocol: tollgate.bearer.\(token)\r\n"
            let silent = try await Self.open(gateways, upstream, offering: unnamed)
            #expect(silent.offered == [] && silent.chosen == [], "what was not offered is not chosen")
            // Without a credential of ours in it, the field is the upstream's as it came.
            let foreign = "Sec-WebSocket-Protocol: Chat ,tollgate.bearerX\r\n" + (try gateways.authorization())
            let other = try await Self.open(gateways, upstream, offering: foreign, choosing: "Chat")
            #expect(other.offered == ["Chat ,tollgate.bearerX"] && other.chosen == ["Chat"])
        }
    }

    @Test func keysAreReadAsWell() async throws {
        try await Self.run { gateways, upstream in
            let key = try await gateways.makeKey()
            let platform = try await gateways.send("POST", "/generate-credentials")
            let publishable = try #require(platform.member("apiKey"))
            // The field beside it is the upstream's, and says nothing of the key's owner later.
            let foreign = "Authorization: Bearer of.something.else\r\n"
            for text in [key.text, key.text, publishable] {
                let field = "Sec-WebSocket-Protocol: tollgate.bearer, tollgate.bearer.\(text)\r\n"
                let opened = try await Self.open(gateways, upstream, offering: field + foreign)
                #expect(opened.chosen == ["tollgate.bearer"])
                #expect(!opened.upstream.contains(text) && opened.upstream.contains(foreign))
                #expect(opened.upstream.contains("X-Tollgate-User: user_abc\r\n"))
            }
            let alone = try await RawHTTP.exchange(port: gateways.port, pieces: [Wire.get("/socket", fields: foreign)])
            #expect(alone.map(\.status) == [401])
        }
    }

    @Test func refusalsAreThoseOfTheCredential() async throws {
        try await Self.run("auth: jwt") { gateways, upstream in
            let key = try await gateways.makeKey().text
            let token = try gateways.identity.token(user: "user_abc", plan: "free", now: gateways.time.now())
            for (offered, status, code) in [
                ("tollgate.bearer", 401, "session-token-missing"), ("tollgate.bearer.", 401, "session-token-missing"),
                ("tollgate.bearer.x.y.z", 401, "token-invalid"),
                ("tollgate.bearer.\(key)", 401, "credential-not-accepted"),
                ("tollgate.bearer.\(token), tollgate.bearer.\(token)", 400, "duplicate-authorization"),
                ("Tollgate.Bearer.\(token)", 401, "session-token-missing"),
            ] {
                let field = "Sec-WebSocket-Protocol: \(offered)\r\n"
                let answers = try await RawHTTP.exchange(
                    port: gateways.port, pieces: [Wire.get("/socket", fields: WebSocket.asks + field)])
                #expect(answers.map(\.status) == [status], "\(offered.prefix(24))")
                #expect(answers.first?.body.contains("\"\(code)\"") == true, "\(answers.first?.body ?? "")")
            }
            #expect(upstream.connectionCount == 0)
        }
    }

    @Test func aCredentialStaysHereEvenWhereNobodyIsAsked() async throws {
        try await Self.run("auth: none") { gateways, upstream in
            let key = try await gateways.makeKey().text
            let field = "Sec-WebSocket-Protocol: chat, tollgate.bearer.\(key)\r\n"
            let opened = try await Self.open(gateways, upstream, offering: field, choosing: "chat")
            #expect(opened.offered == ["chat"])
            #expect(!opened.upstream.contains("sk_live_"))
        }
    }
}
