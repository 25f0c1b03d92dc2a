import NIOCore
import TestSupport
import Testing

/// What is more than a request and its answer, through the real proxies of `deploy/guard`.
@Suite struct GuardedStreamTests {
    /// nginx's file passes no change of protocol on.
    @Test(arguments: [GuardProgram.caddy, .haproxy, .traefik, .envoy])
    func aWebSocketPasses(program: GuardProgram) async throws {
        try await withLocalGateway { gateway in
            let api = try await ManualUpstream()
            try await program.run(gateway: gateway.port, api: api.port) { port in
                let unauthenticated = try await RawClient.connect(port: port)
                try await unauthenticated.send(Wire.get("/chat", fields: WebSocket.asks))
                try await unauthenticated.waits(for: "HTTP/1.1 401 ")
                try await unauthenticated.close()
                #expect(api.connectionCount == 0)

                let client = try await RawClient.connect(port: port)
                let token = "Authorization: Bearer \(try gateway.token("user_abc"))\r\n"
                try await client.send(Wire.get("/chat", fields: WebSocket.asks + token))
                try await api.waits(for: "\r\n\r\n")
                let key = try #require(api.text.firstMatch(of: /(?i)sec-websocket-key: (\S+)/)).1
                try await api.say(WebSocket.switching("Sec-WebSocket-Key: \(key)\r\n"))
                try await client.waits(for: "\r\n\r\n")
                #expect(client.text.hasPrefix("HTTP/1.1 101 "), "\(client.text)")
                #expect(api.text.lowercased().contains("x-tollgate-user: user_abc\r\n"))
                try await client.send(WebSocket.client(.text("up")))
                try await eventually("a frame goes up") { WebSocket.frames(in: api.received) == [.text("up")] }
                try await api.say(WebSocket.bytes(.text("down")))
                try await eventually("a frame comes down") { WebSocket.frames(in: client.bytes) == [.text("down")] }
                try await client.close()
            }
            try await api.close()
        }
    }

    /// Longer than any time limit that a proxy has for the whole of an answer; each part comes in time.
    @Test(.timeLimit(.minutes(6)), arguments: [GuardProgram.envoy])
    func anAnswerMayTakeAsLongAsItMoves(program: GuardProgram) async throws {
        let part = "data: here\n\n"
        let api = try await ScriptedUpstream { _, _ in
            [.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")]
                + (1...8).flatMap { _ in [.pause(.seconds(5)), .say(part)] } + [.hangUp]
        }
        try await withLocalGateway { gateway in
            try await program.run(gateway: gateway.port, api: api.port) { port in
                let token = "Authorization: Bearer \(try gateway.token("user_abc"))\r\n"
                let client = try await RawClient.connect(port: port)
                try await client.send(Wire.get("/events", fields: token))
                try await eventually("all of it came", within: .seconds(60)) {
                    client.isClosed || client.text.ranges(of: part).count == 8
                }
                #expect(client.text.ranges(of: part).count == 8, "\(client.text)")
                try await client.close()
            }
        }
        try await api.close()
    }

    @Test(arguments: GuardProgram.allCases)
    func optionsReachTheAPIOnARouteThatTakesThem(program: GuardProgram) async throws {
        let yaml = """
            routes:
              - {name: preflights, path: /orders, methods: [OPTIONS], auth: none}
              - {name: orders, path: /orders, methods: [GET]}
              - {name: reports, path: /reports, methods: [GET]}
            """
        try await withLocalGateway(yaml: yaml) { gateway in
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                let origin = ("Origin", "https://app.example.com")
                for headers in [[origin, ("Access-Control-Request-Method", "GET")], [origin], []] {
                    let answer = try await HTTP.send("OPTIONS", "/orders/7", port: api.port, headers: headers)
                    #expect(answer.status == 200, "\(answer.body)")
                    #expect(answer.body.hasPrefix("OPTIONS /orders/7 HTTP/1.1\r\n"))
                }
                let reached = api.seen.count
                let untaken = try await HTTP.send("OPTIONS", "/reports", port: api.port)
                #expect(untaken.status == 405)
                let unknown = try await HTTP.send("OPTIONS", "/other", port: api.port)
                #expect(unknown.status == 401, "no route says that it needs no credential")
                #expect(api.seen.count == reached)
            }
        }
    }

    /// The client, the API and Tollgate's log know a request by one name.
    @Test(arguments: GuardProgram.allCases)
    func aRequestHasOneName(program: GuardProgram) async throws {
        try await withLocalGateway { gateway in
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                let token = ("Authorization", "Bearer \(try gateway.token("user_abc"))")
                for name in ["mine-1", "no good name", nil] {
                    let own = name.map { [("X-Request-Id", $0)] } ?? []
                    let answer = try await HTTP.get("/orders", port: api.port, headers: [token] + own)
                    let field = "x-request-id: "
                    let names = answer.body.split(separator: "\r\n").filter { $0.lowercased().hasPrefix(field) }
                        .map { String($0.dropFirst(field.count)) }
                    #expect(names.count == 1, "\(answer.body)")
                    // HAProxy's question is of its own making.
                    if name != "mine-1" || program == .haproxy {
                        #expect(names != [name])
                    } else {
                        #expect(names == ["mine-1"])
                    }
                    if program.tellsLimitsOnSuccess { #expect(answer.headers["x-request-id"] == names.first) }
                }
            }
        }
    }
}
