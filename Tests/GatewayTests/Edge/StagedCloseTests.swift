import TestSupport
import Testing

/// A client in the middle of an upload reads why it was refused, also when it reads only after it has sent all: the
/// connection is closed in stages (RFC 9112, section 9.6).
@Suite(.timeLimit(.minutes(6))) struct StagedCloseTests {
    private static let head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n"
    private static let block = [UInt8](repeating: 0x78, count: 64 * 1024)

    /// Sends `head` and a body that goes on for seconds, at a pace of its own, and reads only then.
    private static func upload(_ head: String, to port: Int, blocks: Int = 50) async throws -> RawAnswer {
        let client = try await RawClient.connect(port: port, reads: false)
        try await client.send(head + "\r\n")
        for _ in 0..<blocks {
            try await client.send(block)
            try await Task.sleep(for: .milliseconds(100))
        }
        try await client.startReading()
        try await eventually("an answer to its end") { client.hasEnded || client.isClosed }
        #expect(!client.wasReset)
        try? await client.close()
        return try RawAnswer(client.text)
    }

    @Test func aRefusalIsReadAfterSecondsOfSending() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let routes = """
            - {name: r, path: /a, limits: {body: 1GB}, upstreams: "{upstream}"}
            - {name: small, path: /small, limits: {body: 1KB}, upstreams: "{upstream}"}
            - {name: rare, path: /rare, ratePerMinute: 0, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            let bearer = "Authorization: \(try gateway.bearer())\r\n"
            async let unauthenticated = Self.upload(Self.head, to: gateway.port)
            async let large = Self.upload(
                Self.head.replacing("/a", with: "/small") + bearer, to: gateway.port)
            async let rare = Self.upload(Self.head.replacing("/a", with: "/rare") + bearer, to: gateway.port)
            let answers = try await [unauthenticated, large, rare]
            #expect(answers.map(\.status) == [401, 413, 429])
            #expect(answers.allSatisfy { $0.fields["connection"] == "close" && $0.code != nil })
            gateway.expectsNothingAtUpstream("refused")
        }
    }

    @Test func soIsTheAnswerOfAnUpstreamThatHangsUp() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"), .hangUp,
        ])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await Self.upload(Self.head, to: gateway.port)
            #expect(answer.status == 413 && answer.body == "no", "\(answer.text)")
        }
    }

    /// One that neither sends nor hangs up is not waited for.
    @Test(.tags(.measuresTime)) func aClientThatFallsSilentIsHungUpOn() async throws {
        try await withLocalGateway { gateway in
            let client = try await RawClient.connect(port: gateway.port, reads: false)
            try await client.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            try await client.startReading()
            try await eventually("the answer is there") { client.hasEnded }
            // Its own half is open still, so only a write shows that the client has gone.
            try await eventually("hung up on", within: .seconds(20)) {
                try? await Task.sleep(for: .seconds(6))
                try? await client.send("x")
                return client.wasReset || client.isClosed
            }
        }
    }
}
