import TestSupport
import Testing

/// The admin port takes few connections, and clients that say nothing keep no orchestrator out.
@Suite(.timeLimit(.minutes(6))) struct AdminConnectionTests {
    @Test(arguments: ["", "GET /livez HTTP/1.1\r\nHost: loc"])
    func silentClientsKeepNobodyOut(said: String) async throws {
        try await withFleet { fleet in
            let port = fleet.workers[0].adminPort
            var clients: [RawClient] = []
            for _ in 0..<200 {
                let client = try await RawClient.connect(port: port)
                if !said.isEmpty { try? await client.send(said) }
                clients.append(client)
            }
            for path in ["/livez", "/readyz", "/metrics"] {
                // Long before the silent ones end by themselves.
                let answer = try await HTTP.get(path, port: port)
                #expect(answer.status == 200, "\(path)")
            }
            try await eventually("those that came first were ended") { clients[0].isClosed && clients[100].isClosed }
            for client in clients { try? await client.close() }
        }
    }

    /// Nor do those who ask and do not read, and those who do not send what they have announced.
    @Test(arguments: [
        String(repeating: "GET /overview/tollgate.css HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 200),
        "POST /admin/v1/users/user_abc/block HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    ])
    func standstillsKeepNobodyOut(said: String) async throws {
        try await withFleet { fleet in
            let port = fleet.workers[0].adminPort
            var clients: [RawClient] = []
            for _ in 0..<72 {
                let client = try await RawClient.connect(port: port, reads: false)
                try? await client.send(said)
                clients.append(client)
            }
            for _ in 0..<3 {
                let answer = try await HTTP.get("/livez", port: port)
                #expect(answer.status == 200)
            }
            for client in clients { try? await client.close() }
        }
    }
}
