import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// More clients than there are descriptors: those that are served are served well, the others are told at once.
@Suite(.serialized, .timeLimit(.minutes(6)), .tags(.measuresTime)) struct ConnectionCapTests {
    /// Clients that begin a request and never end it.
    private static func crowd(_ count: Int, port: Int) async throws -> [RawClient] {
        var clients: [RawClient] = []
        for _ in 0..<count {
            let client = try await RawClient.connect(port: port)
            try? await client.send("GET /health HTTP/1.1\r\nHo")
            clients.append(client)
        }
        return clients
    }

    /// Seconds on a processor so far.
    private static func processorTime(_ worker: Worker) throws -> Double {
        let stat = try String(contentsOfFile: "/proc/\(worker.process.pid)/stat", encoding: .utf8)
        let fields = stat[try #require(stat.lastIndex(of: ")"))...].split(separator: " ")
        return try (#require(Double(fields[12])) + #require(Double(fields[13]))) / 100
    }

    private static func verify(_ client: RawClient, _ token: String) async throws {
        client.clear()
        try await client.send(Wire.post("/verify-auth", fields: "Authorization: Bearer \(token)\r\n"))
        try await client.waits(for: "\"success\":true")
    }

    @Test func aCrowdDoesNotStrandTheWorker() async throws {
        let descriptors = 200
        try await withFleet(workers: 0) { fleet in
            var environment = Worker.environment(redisURL: fleet.redis.url, identity: fleet.identity)
            environment["TOLLGATE_IDLE_TIMEOUT_SECONDS"] = "3600"
            let worker = try await Worker.start(environment: environment, descriptors: descriptors)
            try await eventually("it is ready") {
                try await HTTP.get("/readyz", port: worker.adminPort).status == 200
            }
            let token = try fleet.token("user_abc", plan: "paid")
            let customer = try await RawClient.connect(port: worker.port)
            try await Self.verify(customer, token)
            let crowd = try await Self.crowd(260, port: worker.port)
            try await eventually("those who are too many are sent away") {
                crowd.count(where: \.isClosed) >= 260 - descriptors / 2
            }
            #expect(crowd.contains { $0.text.contains("HTTP/1.1 503 ") && $0.text.contains("too-many-connections") })
            let before = try Self.processorTime(worker)
            let (_, duration) = try await timed {
                for _ in 0..<20 {
                    let alive = try await HTTP.get("/livez", port: worker.adminPort)
                    let ready = try await HTTP.get("/readyz", port: worker.adminPort)
                    #expect(alive.status == 200 && ready.status == 200)
                    try await Self.verify(customer, token)
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            #expect(duration < .seconds(10), "the admin port and a connected customer are served at once")
            #expect(try Self.processorTime(worker) - before < 0.7 * (duration / .seconds(1)), "nothing spins")
            let metrics = try await HTTP.get("/metrics", port: worker.adminPort)
            #expect(metrics.body.contains("tollgate_connections_refused_total "))
            for client in crowd { try? await client.close() }
            try await eventually("there is room again") {
                guard let client = try? await RawClient.connect(port: worker.port) else { return false }
                try? await Self.verify(client, token)
                return client.text.contains("\"success\":true")
            }
            await worker.process.terminate()
        }
    }

    @Test func theSettingLimitsConnections() async throws {
        try await withLocalGateway(settings: ["TOLLGATE_MAX_CONNECTIONS": "3"]) { gateway in
            let crowd = try await Self.crowd(5, port: gateway.port)
            try await eventually("two are sent away") { crowd.count(where: \.isClosed) == 2 }
            for client in crowd where client.isClosed { #expect(client.text.hasPrefix("HTTP/1.1 503 ")) }
            for client in crowd { try? await client.close() }
            try await eventually("there is room again") {
                let client = try await RawClient.connect(port: gateway.port)
                try? await client.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                try await eventually("an answer") { client.isClosed }
                return client.text.hasPrefix("HTTP/1.1 200 ")
            }
        }
    }
}
