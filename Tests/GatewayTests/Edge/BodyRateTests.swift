import TestSupport
import Testing

/// A body has to come at a minimum rate, so that a few slow clients cannot hold a route's connections for hours.
@Suite(.timeLimit(.minutes(6))) struct BodyRateTests {
    private static let routes = """
        - {name: usual, path: /usual, auth: none, upstreams: "{upstream}"}
        - {name: free, path: /free, auth: none, limits: {bodyRate: 0}, upstreams: "{upstream}"}
        """

    /// Sends a byte, or some, every tenth of a second until the gateway answers or `seconds` are over.
    private static func trickle(
        _ path: String, bytes: Int = 1, seconds: Int, to port: Int, fields: String = "", chunked: Bool = false
    ) async throws -> RawClient {
        let client = try await RawClient.connect(port: port)
        let framing = chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: \(bytes * seconds * 10)\r\n"
        try await client.send("POST \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\(framing)\r\n")
        let piece = String(repeating: "x", count: bytes)
        for _ in 0..<seconds * 10 where client.bytes.isEmpty {
            try? await client.send(chunked ? Wire.chunk(piece) : piece)
            try await Task.sleep(for: .milliseconds(100))
        }
        return client
    }

    @Test func aTrickleIsRefusedAndItsConnectionFreed() async throws {
        let upstream = try await ScriptedUpstream { _, text in
            text.hasSuffix(String(repeating: "x", count: 100 * 8 * 10)) ? [.say(.answer("fine"))] : nil
        }
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            async let slow = Self.trickle("/usual/slow", seconds: 12, to: gateway.port)
            async let chunked = Self.trickle("/usual/chunked", seconds: 12, to: gateway.port, chunked: true)
            async let steady = Self.trickle("/usual/steady", bytes: 100, seconds: 8, to: gateway.port)
            async let free = Self.trickle("/free", seconds: 8, to: gateway.port)
            async let own = Self.trickle("/verify-auth", seconds: 12, to: gateway.port)
            let fields = "Authorization: \(try gateway.bearer())\r\n"
            async let controlPlane = Self.trickle("/keys", seconds: 12, to: gateway.port, fields: fields)
            let refused = try await [slow, chunked, own, controlPlane]
            for client in refused {
                try await client.waits(for: "request-timeout")
                let answer = try RawAnswer(client.text)
                #expect(answer.status == 408 && answer.fields["connection"] == "close", "\(client.text)")
                #expect(client.text.contains("Send at least 240 bytes per second."), "\(client.text)")
            }
            let (fast, unhurried) = try await (steady, free)
            try await fast.waits(for: "fine")
            #expect(unhurried.bytes.isEmpty && !unhurried.isClosed)
            try await eventually("the two slow uploads are gone from the upstream") { upstream.closedCount == 2 }
            // A gateway that ends waits for those who are there.
            for client in refused + [fast, unhurried] { try? await client.close() }
        }
    }

    /// What an upstream does not take is not the client's fault.
    @Test func aSlowUpstreamDoesNotCountAgainstTheClient() async throws {
        let upstream = try await BulkUpstream()
        let file = RouteFile.text(RouteFile.route("/files", to: upstream.port, "auth: none, limits: {bodyRate: 1MB}"))
        try await withRoutedGateways(file: file) { gateways in
            try await upstream.stopReading()
            let client = try await BulkClient(port: gateways.port, path: "/files/up", bytes: 64 << 20)
            try await Task.sleep(for: .seconds(8))
            #expect(client.status == 0 && !client.isClosed && client.sent < 64 << 20)
            try await upstream.startReading()
            try await eventually("it is answered", within: .seconds(60)) { client.isEnded }
            #expect(client.status == 200 && upstream.received == 64 << 20)
            try? await client.close()
        }
        try await upstream.close()
    }

    @Test func waitingForTheUpstreamsWordDoesNotEither() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "auth: none, limits: {bodyRate: 1MB}"))
        try await withRoutedGateways(file: file) { gateways in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send("POST /api HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            try await upstream.waits(for: "\r\n\r\n")
            try await Task.sleep(for: .seconds(6))
            #expect(client.bytes.isEmpty && !client.isClosed)
            try await upstream.say("HTTP/1.1 100 Continue\r\n\r\n")
            try await client.waits(for: "100 Continue")
            // From now on it is the client that is waited for.
            try await client.waits(for: "HTTP/1.1 408 ")
            try await eventually("the upstream is hung up on") { upstream.closedCount == 1 }
        }
        try await upstream.close()
    }
}
