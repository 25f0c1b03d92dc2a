import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// `POST /tickets`, and what a ticket opens: once, and for half a minute.
@Suite(.timeLimit(.minutes(6))) struct TicketTests {
    private static func run(
        _ gateways: Int = 1, _ more: String = "",
        _ body: @escaping @Sendable (KeyedGateways, ScriptedUpstream) async throws -> Void
    ) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("events"))])
        let file = RouteFile.text(
            RouteFile.route("/events", to: upstream.port, more),
            RouteFile.route("/tokens", to: upstream.port, "auth: jwt"),
            RouteFile.route("/keys-only", to: upstream.port, "auth: key, scopes: \"events:read\""),
            RouteFile.route("/open", to: upstream.port, "auth: none"))
        try await withRoutedGateways(gateways, file: file) { gateways in try await body(gateways, upstream) }
        try await upstream.close()
    }

    @Test func aTicketOpensAWebSocketAndStaysAtTheGateway() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/socket", to: upstream.port, "stripPrefix: true"))
        try await withRoutedGateways(file: file) { gateways in
            let ticket = try await gateways.ticket()
            let client = try await RawClient.connect(port: gateways.port)
            let target = "/socket/chat?room=7&tollgate_ticket=\(ticket)&name=x"
            try await client.send(Wire.get(target, fields: WebSocket.asks))
            try await upstream.waits(for: "\r\n\r\n")
            #expect(upstream.text.hasPrefix("GET /chat?room=7&name=x HTTP/1.1\r\n"))
            #expect(upstream.text.contains("X-Tollgate-User: user_abc\r\n"))
            #expect(!upstream.text.contains("tkt_"))
            try await upstream.say(WebSocket.switching(upstream.text))
            try await client.waits(for: "\r\n\r\n")
            #expect(client.text.hasPrefix("HTTP/1.1 101 "))
            try await client.close()

            let again = try await RawHTTP.exchange(
                port: gateways.port, pieces: [Wire.get(target, fields: WebSocket.asks)])
            #expect(again.map(\.status) == [401])
            #expect(again.first?.body.contains("ticket-unknown") == true)
            let used = try await gateways.usedCalls()
            #expect(used == 1, "a ticket costs nothing, what it opens costs a call")
        }
        try await upstream.close()
    }

    @Test func aTicketIsUsedOnceOverAllWorkers() async throws {
        try await Self.run(3) { gateways, _ in
            for _ in 1...5 {
                let ticket = try await gateways.ticket()
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<24 {
                        let port = gateways.ports[number % 3].publicPort
                        group.addTask { try await HTTP.get("/events?tollgate_ticket=\(ticket)", port: port).status }
                    }
                    return try await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
                }
                #expect(statuses == [200: 1, 401: 23])
            }
        }
    }

    @Test func aTicketEndsAfterHalfAMinute() async throws {
        try await Self.run { gateways, _ in
            let answer = try await gateways.send("POST", "/tickets")
            #expect(answer.status == 201)
            #expect(answer.member("expiresAt") == "2025-11-26T23:00:30Z")
            #expect(answer.headers["cache-control"] == "no-store")
            let (early, late) = (try await gateways.ticket(), try await gateways.ticket())
            let lifetimes = try await withRedisClient(gateways.redis.configuration) { redis in
                var lifetimes: [Int] = []
                for key in try await redis.send("KEYS ticket:*").array ?? [] {
                    lifetimes.append(try await redis.send("TTL \(key.string ?? "")").integer.map { Int($0) } ?? -1)
                }
                return lifetimes
            }
            #expect(lifetimes.count == 3 && lifetimes.allSatisfy { (1...30).contains($0) })
            gateways.time.advance(seconds: 29)
            let inTime = try await HTTP.get("/events?tollgate_ticket=\(early)", port: gateways.port)
            #expect(inTime.status == 200)
            gateways.time.advance(seconds: 1)
            let tooLate = try await HTTP.get("/events?tollgate_ticket=\(late)", port: gateways.port)
            #expect(tooLate.status == 401)
        }
    }

    @Test func aKeysTicketIsWorthWhatTheKeyIs() async throws {
        try await Self.run { gateways, upstream in
            func open(_ path: String, _ ticket: String) async throws -> HTTP.Answer {
                try await HTTP.get("\(path)?tollgate_ticket=\(ticket)", port: gateways.port)
            }
            let key = try await gateways.makeKey(#""name":"CI","scopes":["events:read"]"#)
            let opened = try await open("/keys-only", try await gateways.ticket(ofKey: key.text))
            #expect(opened.status == 200, "\(opened.body)")
            #expect(upstream.received.contains("X-Tollgate-Key-Id: \(key.id)\r\n"))
            let forTokens = try await open("/tokens", try await gateways.ticket(ofKey: key.text))
            #expect(forTokens.status == 401 && forTokens.member("code") == "credential-not-accepted")
            let forKeys = try await open("/keys-only", try await gateways.ticket())
            #expect(forKeys.status == 401 && forKeys.member("code") == "credential-not-accepted")
            let other = try await gateways.makeKey(#""name":"CI","scopes":["other"]"#)
            let outOfScope = try await open("/keys-only", try await gateways.ticket(ofKey: other.text))
            #expect(outOfScope.status == 403)

            let ticket = try await gateways.ticket(ofKey: key.text)
            let revoked = try await gateways.send("DELETE", "/keys/\(key.id)")
            #expect(revoked.status == 200)
            let late = try await open("/events", ticket)
            #expect(late.status == 401 && late.member("code") == "key-revoked")
            let none = try await HTTP.send(
                "POST", "/tickets", port: gateways.port, headers: [("X-API-Key", key.text)])
            #expect(none.status == 401 && none.member("code") == "key-revoked")

            let platform = try await gateways.send("POST", "/generate-credentials")
            let publishable = try #require(platform.member("apiKey"), "\(platform.body)")
            let published = try await open("/events", try await gateways.ticket(ofKey: publishable))
            #expect(published.status == 200)
            #expect(upstream.received.contains("X-Tollgate-Platform: plt_"))
        }
    }

    /// A field beside a ticket says nothing of who sent it, now or later.
    @Test func aFieldBesideATicketIsNotTakenForItsCredential() async throws {
        try await Self.run { gateways, upstream in
            let key = try await gateways.makeKey()
            let foreign = ("Authorization", "Basic \(KeyedGateways.basic("of:another").dropFirst(6))")
            for _ in 1...3 {
                let ticket = try await gateways.ticket(ofKey: key.text)
                let answer = try await HTTP.get(
                    "/events?tollgate_ticket=\(ticket)", port: gateways.port, headers: [foreign])
                #expect(answer.status == 200)
            }
            #expect(upstream.received.contains("\(foreign.0): \(foreign.1)\r\n"), "it is the upstream's")
            let alone = try await HTTP.get("/events", port: gateways.port, headers: [foreign])
            #expect(alone.status == 401)
            let ticket = try await gateways.ticket()
            _ = try await HTTP.get(
                "/events?tollgate_ticket=\(ticket)", port: gateways.port, headers: [("X-API-Key", key.text)])
            #expect(!upstream.received.contains("sk_live_"), "but a key of ours is not")
        }
    }

    @Test func whatIsNoTicketOpensNothing() async throws {
        try await Self.run { gateways, upstream in
            let ticket = try await gateways.ticket()
            let token = try gateways.bearer("user_abc")
            for query in ["tollgate_ticket=", "tollgate_ticket", "tollgate_ticket=tkt_", "tollgate_ticket=\(ticket)0"] {
                let answer = try await HTTP.get("/events?\(query)", port: gateways.port, headers: token)
                #expect(answer.status == 401 && answer.member("code") == "ticket-unknown", "\(query)")
            }
            let twice = try await HTTP.get(
                "/events?tollgate_ticket=\(ticket)&tollgate_ticket=\(ticket)", port: gateways.port)
            #expect(twice.status == 400 && twice.member("code") == "duplicate-authorization")
            #expect(upstream.connectionCount == 0)
            for (method, path) in [("POST", "/verify-auth"), ("GET", "/usage"), ("GET", "/keys")] {
                let answer = try await HTTP.send(method, "\(path)?tollgate_ticket=\(ticket)", port: gateways.port)
                #expect(answer.status == 401, "\(path) is no route")
            }
            // On a route without authentication it is not used, and stays here all the same.
            let open = try await HTTP.get("/open?tollgate_ticket=\(ticket)", port: gateways.port)
            #expect(open.status == 200)
            #expect(upstream.received.hasPrefix("GET /open HTTP/1.1\r\n"))
            let used = try await HTTP.get("/events?tollgate_ticket=\(ticket)", port: gateways.port)
            #expect(used.status == 200)
        }
    }

    /// A proxy that asks tells the ticket in the original request's target.
    @Test func aProxyMayAskWithATicket() async throws {
        try await Self.run { gateways, _ in
            for questions in [["X-Original-URI", "X-Original-Method"], ["X-Forwarded-Uri", "X-Forwarded-Method"]] {
                let ticket = try await gateways.ticket()
                let fields = [(questions[0], "/events?tollgate_ticket=\(ticket)"), (questions[1], "GET")]
                let first = try await HTTP.get("/authorize", port: gateways.port, headers: fields)
                #expect(first.status == 200 && first.headers["x-tollgate-user"] == "user_abc")
                let second = try await HTTP.get("/authorize", port: gateways.port, headers: fields)
                #expect(second.status == 401)
            }
            let ticket = try await gateways.ticket()
            let ofEnvoy = try await HTTP.get("/authorize/events?tollgate_ticket=\(ticket)", port: gateways.port)
            #expect(ofEnvoy.status == 200)
        }
    }

    @Test func aBodyWithWishesIsRefused() async throws {
        try await Self.run { gateways, _ in
            for body in ["", "{}"] {
                let answer = try await gateways.send("POST", "/tickets", body: body)
                #expect(answer.status == 201, "\(body): \(answer.body)")
            }
            let wish = try await gateways.send("POST", "/tickets", body: #"{"expiresInSeconds":3600}"#)
            #expect(wish.status == 400 && wish.member("code") == "bad-request")
            #expect(
                wish.member("message") == "Unknown member 'expiresInSeconds'. Known: none.")
            let text = try await gateways.send("POST", "/tickets", body: "a ticket, please")
            #expect(text.status == 400)
            #expect(text.member("message") == "The body is not a JSON object such as {}.")
        }
    }

    @Test func ticketsAreBounded() async throws {
        try await Self.run { gateways, _ in
            for _ in 1...60 { _ = try await gateways.ticket() }
            let tooMany = try await gateways.send("POST", "/tickets")
            #expect(tooMany.status == 429 && tooMany.member("code") == "too-many-tickets")
            #expect(tooMany.headers["retry-after"] == "60")
            let other = try await gateways.send("POST", "/tickets", as: "user_def")
            #expect(other.status == 201)
            // A key that was invented in a user's name takes nothing from them.
            let invented = try KeyedGateways.inventedKey(of: "user_ghi")
            let refused = try await HTTP.send(
                "POST", "/tickets", port: gateways.port, headers: [("X-API-Key", invented)])
            #expect(refused.status == 401)
            let left = try await withRedisClient(gateways.redis.configuration) { redis in
                try await redis.send("KEYS ticket:{user_ghi}*").array?.count
            }
            #expect(left == 0)
            let unauthenticated = try await HTTP.send("POST", "/tickets", port: gateways.port)
            #expect(unauthenticated.status == 401)
            let used = try await gateways.usedCalls()
            #expect(used == 0)
        }
    }

    /// A worker that says as much as it can says neither.
    @Test func neitherATicketNorATokenIsLogged() async throws {
        let upstream = try await ScriptedUpstream.answering([.say("no answer\r\n\r\n"), .hangUp])
        let file = RouteFile.text(RouteFile.route("/events", to: upstream.port))
        try await withFleet(plans: file, settings: ["TOLLGATE_LOG_LEVEL": "trace"]) { fleet in
            let worker = fleet.workers[0]
            let (token, issued) = (
                try fleet.token("user_abc"),
                try await HTTP.send("POST", "/tickets", port: worker.port, headers: try fleet.bearer())
            )
            let ticket = try #require(issued.member("ticket"), "\(issued.body)")
            for path in ["/events", "/nothing", "/keys"] {
                let answer = try await HTTP.get(
                    "\(path)?tollgate_ticket=\(ticket)", port: worker.port,
                    headers: [("Sec-WebSocket-Protocol", "tollgate.bearer.\(token)")])
                #expect(answer.status >= 400)
                #expect(!answer.body.contains(ticket))
            }
            await worker.process.terminate()
            var said = ""
            for await line in worker.process.lines { said += line + "\n" }
            #expect(said.contains("request failed"), "\(said)")
            #expect(!said.contains("tkt_") && !said.contains(token))
        }
        try await upstream.close()
    }
}

extension KeyedGateways {
    /// A ticket for a session token.
    fileprivate func ticket() async throws -> String {
        let answer = try await send("POST", "/tickets")
        return try #require(answer.member("ticket"), "\(answer.body)")
    }

    fileprivate func ticket(ofKey key: String) async throws -> String {
        let answer = try await HTTP.send("POST", "/tickets", port: port, headers: [("X-API-Key", key)])
        return try #require(answer.member("ticket"), "\(answer.body)")
    }
}
