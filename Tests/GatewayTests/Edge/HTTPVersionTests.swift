import TestSupport
import Testing

/// Versions of HTTP that are not quite ours (RFC 9110, sections 2.5 and 15.6.6).
@Suite struct HTTPVersionTests {
    @Test func laterMinorVersionsAreServedAsHTTP11() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            for minor in [2, 9] {
                let answer = try await gateway.ask(
                    "GET /a HTTP/1.\(minor)\r\nHost: api.example\r\nConnection: close\r\nX-Request-Id: r1\r\n\r\n")
                #expect(answer.status == 200 && answer.text.hasPrefix("HTTP/1.1 "), "\(answer.text)")
            }
            #expect(upstream.received == .forwarded() + .forwarded())
            let own = try await gateway.ask("GET /health HTTP/1.3\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(own.status == 200)
        }
    }

    @Test func otherMajorVersionsAreNotSupported() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            for version in ["2.0", "3.0", "0.9", "9.9"] {
                let answer = try await gateway.ask("GET /a HTTP/\(version)\r\nHost: a\r\n\r\n")
                #expect(answer.status == 505 && answer.code == "http-version-not-supported", "\(answer.text)")
                #expect(answer.fields["connection"] == "close" && answer.body.contains("HTTP/1.1"))
            }
            gateway.expectsNothingAtUpstream("another version")
        }
    }

    /// What `curl --http2-prior-knowledge` and gRPC clients send first.
    @Test func anHTTP2ClientLearnsWhatIsSpokenHere() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\u{12}\u{4}\0\0\0\0\0")
            #expect(answer.status == 505 && answer.code == "http-version-not-supported", "\(answer.text)")
            #expect(answer.body.contains("h2c"))
            gateway.expectsNothingAtUpstream("HTTP/2's preface")
        }
    }

    @Test func http10ChangesToNoOtherProtocol() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(
                "GET /a HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            #expect(answer.status == 200, "\(answer.text)")
            #expect(!upstream.received.contains("pgrade"))
        }
    }

    @Test func http10ExpectsNothing() async throws {
        let upstream = try await ScriptedUpstream.answering(after: "hello")
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(
                "POST /a HTTP/1.0\r\nHost: api.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
            #expect(answer.status == 200 && !answer.text.contains("100 Continue"), "\(answer.text)")
            #expect(!upstream.received.contains("Expect"))
            let own = try await gateway.ask(
                "POST /verify-auth HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
            #expect(own.status == 401 && !own.text.contains("100 Continue"), "\(own.text)")
        }
    }
}
