import TestSupport
import Testing

/// Bodies of any length pass through a worker at the pace of their readers, and take none of its memory.
@Suite(.serialized, .timeLimit(.minutes(10))) struct BulkTests {
    private static let gigabyte = 1 << 30
    private static let memoryLimit = 80 << 20

    /// What the kernel's buffers of four sockets may hold, up to 32 MiB each of the two that are read, and the worker's.
    private static let onTheWay = 96 << 20

    /// Waits until a count that grew stands still.
    private static func standstill(of count: () -> Int) async throws {
        try await eventually("a standstill", within: .seconds(120)) {
            let before = count()
            try await Task.sleep(for: .milliseconds(250))
            return before > 0 && count() == before
        }
    }

    @Test(arguments: [false, true]) func aGigabyteGoesUp(isChunked: Bool) async throws {
        let upstream = try await BulkUpstream()
        let file = RouteFile.text(RouteFile.route("/files", to: upstream.port, "limits: {body: 2GB}"))
        try await withFleet(plans: file) { fleet in
            let worker = fleet.workers[0]
            try await upstream.stopReading()
            let client = try await BulkClient(
                port: worker.port, path: "/files/up", bytes: Self.gigabyte, isChunked: isChunked,
                headers: try fleet.bearer())
            try await Self.standstill { client.sent }
            #expect(client.sent < Self.onTheWay)
            try await upstream.startReading()
            try await eventually("some has arrived", within: .seconds(240)) { upstream.received > Self.onTheWay }
            try await upstream.stopReading()
            try await Self.standstill { client.sent }
            #expect(client.sent < upstream.received + Self.onTheWay)
            try await upstream.startReading()
            try await eventually("it is answered", within: .seconds(300)) { client.isEnded }
            #expect(client.status == 200)
            #expect(upstream.received == Self.gigabyte)
            #expect(upstream.isIntact)
            let peak = try worker.residentPeak()
            #expect(peak < Self.memoryLimit, "\(peak >> 20) MB")
            try? await client.close()
        }
        try await upstream.close()
    }

    @Test(arguments: [false, true]) func aGigabyteComesDown(isChunked: Bool) async throws {
        let upstream = try await BulkUpstream()
        let file = RouteFile.text(RouteFile.route("/files", to: upstream.port))
        try await withFleet(plans: file) { fleet in
            let worker = fleet.workers[0]
            let client = try await BulkClient(
                port: worker.port, path: "/files/\(Self.gigabyte)\(isChunked ? "?chunked" : "")", bytes: 0,
                headers: try fleet.bearer(), reads: false)
            try await Self.standstill { upstream.sent }
            #expect(upstream.sent < Self.onTheWay)
            try await client.startReading()
            try await eventually("some has arrived", within: .seconds(240)) { client.received > Self.onTheWay }
            try await client.stopReading()
            try await Self.standstill { upstream.sent }
            #expect(upstream.sent < client.received + Self.onTheWay)
            try await client.startReading()
            try await eventually("all has arrived", within: .seconds(300)) { client.isEnded }
            #expect(client.received == Self.gigabyte)
            #expect(client.isIntact)
            let peak = try worker.residentPeak()
            #expect(peak < Self.memoryLimit, "\(peak >> 20) MB")
            try? await client.close()
        }
        try await upstream.close()
    }

    @Test func tenLongBodiesAtOnce() async throws {
        let (count, length) = (10, 24 << 20)
        let upstream = try await EchoUpstream()
        let file = RouteFile.text(RouteFile.route("/echo", to: upstream.port))
        try await withFleet(plans: file) { fleet in
            let worker = fleet.workers[0]
            var clients: [BulkClient] = []
            for number in 0..<count {
                clients.append(
                    try await BulkClient(
                        port: worker.port, bytes: length, isChunked: number % 2 == 1, headers: try fleet.bearer()))
            }
            try await eventually("all are back", within: .seconds(120)) {
                clients.allSatisfy { $0.isEnded || $0.isClosed }
            }
            for client in clients {
                #expect(client.status == 200 && client.isEnded && client.isIntact)
                #expect(client.sent == length && client.received == length)
                try? await client.close()
            }
            let used = try await fleet.usedCalls()
            #expect(used == count)
            let peak = try worker.residentPeak()
            #expect(peak < Self.memoryLimit, "\(peak >> 20) MB")
        }
        try await upstream.close()
    }
}
