import TestSupport
import Testing

/// Server-sent events through the gateway: each arrives when it is said.
@Suite(.timeLimit(.minutes(6))) struct EventStreamTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

    @Test(arguments: [true, false]) func eachEventArrivesBeforeTheNextIsSaid(isChunked: Bool) async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/events", to: upstream.port))
        try await withRoutedGateways(file: file) { gateways in
            let client = try await RawClient.connect(port: gateways.port)
            let fields = "Accept: text/event-stream\r\n" + (try gateways.authorization())
            try await client.send(Wire.get("/events", fields: fields))
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say(Self.head + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n"))
            try await client.waits(for: "\r\n\r\n")
            #expect(client.text.contains("Content-Type: text/event-stream\r\n"))
            for number in 1...50 {
                let event = "id: \(number)\ndata: {\"number\":\(number)}\n\n"
                try await upstream.say(isChunked ? Wire.chunk(event) : event)
                try await client.waits(for: event)
            }
            #expect(upstream.closedCount == 0)
            try await client.close()
            try await eventually("the upstream sees that its events have no reader any more") {
                try? await upstream.say(isChunked ? Wire.chunk("data: 51\n\n") : "data: 51\n\n")
                return upstream.closedCount == 1
            }
        }
        try await upstream.close()
    }

    /// The end of a stream that has no other is the end of its connection: it must arrive as one, not as a cut.
    @Test func theUpstreamEndsTheStream() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/events", to: upstream.port, "charge: success"))
        try await withRoutedGateways(file: file) { gateways in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.get("/events", fields: gateways.authorization()))
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say(Self.head + "\r\ndata: last\n\n")
            try await client.waits(for: "data: last\n\n")
            try await upstream.hangUp()
            try await client.waits(for: "\r\n0\r\n\r\n")
            #expect(!client.isClosed, "the client's connection goes on")
            let used = try await gateways.usedCalls()
            #expect(used == 1)
            try await client.close()
        }
        try await upstream.close()
    }
}
