import TestSupport
import Testing

/// What an upstream and a client learn of each other's requests: names, addresses, traces.
@Suite(.timeLimit(.minutes(6))) struct ForwardingTests {
    private static let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    /// The fields that the upstream and the client get, by their names in lower case, for a request with `fields`.
    private static func exchange(
        fields: String, answerFields: String = "", settings: [String: String] = [:],
        _ body: @escaping @Sendable (_ atUpstream: [(String, String)], _ atClient: [(String, String)]) throws -> Void
    ) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok", fields: answerFields))])
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        try await withRoutedGateways(file: file, settings: settings) { gateways in
            let answer = try await RawClient.ask(
                gateways.port, Wire.get("/api", fields: "Connection: close\r\n" + fields + gateways.authorization()))
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            try body(Self.fields(upstream.received), Self.fields(answer))
        }
        try await upstream.close()
    }

    private static func fields(_ message: String) -> [(String, String)] {
        let lines = message.split(separator: "\r\n", omittingEmptySubsequences: false)
        return lines.dropFirst().prefix { !$0.isEmpty }.map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), String(parts.last?.drop { $0 == " " } ?? ""))
        }
    }

    private static func values(_ name: String, _ fields: [(String, String)]) -> [String] {
        fields.filter { $0.0 == name }.map(\.1)
    }

    @Test func aRequestWithoutANameGetsOne() async throws {
        try await Self.exchange(fields: "") { upstream, client in
            let names = Self.values("x-request-id", upstream)
            #expect(names.count == 1 && names.first?.isEmpty == false)
            #expect(Self.values("x-request-id", client) == names, "both sides speak of the same request")
        }
    }

    @Test func aClientsOwnNameIsKept() async throws {
        try await Self.exchange(fields: "X-Request-Id: my-own_name.1\r\n") { upstream, _ in
            #expect(Self.values("x-request-id", upstream) == ["my-own_name.1"])
        }
    }

    @Test(arguments: ["two words", "<script>", "a,b", String(repeating: "x", count: 129), "", "caf\u{e9}"])
    func aNameThatIsNoneIsReplaced(name: String) async throws {
        try await Self.exchange(fields: "X-Request-Id: \(name)\r\n") { upstream, client in
            let names = Self.values("x-request-id", upstream)
            #expect(names.count == 1 && names.first != name && names.first?.isEmpty == false)
            #expect(Self.values("x-request-id", client) == names)
        }
    }

    @Test func anUpstreamsNameForTheRequestDoesNotStandBesideOurs() async throws {
        try await Self.exchange(fields: "", answerFields: "X-Request-Id: theirs\r\n") { _, client in
            #expect(Self.values("x-request-id", client).count == 1)
        }
    }

    @Test func tracesPassThrough() async throws {
        let fields = "traceparent: \(Self.traceparent)\r\ntracestate: vendor=1\r\nbaggage: a=b\r\n"
        try await Self.exchange(fields: fields) { upstream, _ in
            #expect(Self.values("traceparent", upstream) == [Self.traceparent])
            #expect(Self.values("tracestate", upstream) == ["vendor=1"])
            #expect(Self.values("baggage", upstream) == ["a=b"])
        }
    }

    private static let claims =
        "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n"
        + "Forwarded: for=203.0.113.9;proto=https\r\n"

    @Test func whatAStrangerClaimsIsThrownAway() async throws {
        try await Self.exchange(fields: Self.claims) { upstream, _ in
            #expect(Self.values("x-forwarded-for", upstream) == ["127.0.0.1"])
            #expect(Self.values("x-forwarded-proto", upstream) == ["http"])
            #expect(Self.values("x-forwarded-host", upstream) == ["api.example"])
            #expect(Self.values("forwarded", upstream) == [#"for=127.0.0.1;host="api.example";proto=http"#])
        }
    }

    @Test func whatATrustedProxySaysIsAddedTo() async throws {
        let settings = ["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1"]
        try await Self.exchange(fields: Self.claims, settings: settings) { upstream, _ in
            #expect(Self.values("x-forwarded-for", upstream) == ["203.0.113.9, 127.0.0.1"])
            #expect(Self.values("x-forwarded-proto", upstream) == ["https"])
            #expect(Self.values("x-forwarded-host", upstream) == ["shop.example"])
            let expected = #"for=203.0.113.9;proto=https, for=127.0.0.1;host="api.example";proto=http"#
            #expect(Self.values("forwarded", upstream) == [expected])
        }
    }

    /// A proxy that writes one of the two passes on what any client says in the other.
    @Test func bothFieldsNameTheClientThatTheProxyTells() async throws {
        let settings = ["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1"]
        let fields = "X-Forwarded-For: 203.0.113.9:51000\r\nForwarded: for=6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n"
        try await Self.exchange(fields: fields, settings: settings) { upstream, _ in
            #expect(Self.values("x-forwarded-for", upstream) == ["203.0.113.9:51000, 127.0.0.1"])
            let expected = #"for="203.0.113.9:51000", for=127.0.0.1;host="api.example";proto=http"#
            #expect(Self.values("forwarded", upstream) == [expected])
            #expect(!upstream.contains { $0.1.contains("6.6.6.6") })
        }
    }

    @Test func portPrefixAndAddressPassFromATrustedProxyAlone() async throws {
        let fields = "X-Forwarded-Port: 8443\r\nX-Forwarded-Prefix: /outer\r\nX-Real-IP: 203.0.113.9\r\n"
        for (settings, passes) in [(["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1"], true), ([:], false)] {
            try await Self.exchange(fields: fields, settings: settings) { upstream, _ in
                #expect(Self.values("x-forwarded-port", upstream) == (passes ? ["8443"] : []))
                #expect(Self.values("x-forwarded-prefix", upstream) == (passes ? ["/outer"] : []))
                #expect(Self.values("x-real-ip", upstream) == (passes ? ["203.0.113.9"] : []))
            }
        }
    }

    @Test func theWayIsWrittenBothWays() async throws {
        let fields = "Via: 1.1 edge\r\n"
        try await Self.exchange(fields: fields, answerFields: "Via: 1.0 cache\r\n") { upstream, client in
            #expect(Self.values("via", upstream) == ["1.1 edge", "1.1 tollgate"])
            #expect(Self.values("via", client) == ["1.0 cache", "1.1 tollgate"])
        }
    }
}
