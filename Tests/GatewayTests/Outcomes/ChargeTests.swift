import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing

/// `charge: success`: what an upstream failed to do is given back, once.
@Suite(.timeLimit(.minutes(6))) struct ChargeTests {
    /// What becomes of one request.
    private struct Outcome: Sendable {
        let what: String
        let steps: [ScriptedUpstream.Step]
        let status: Int
        let isKept: Bool
    }

    private static let outcomes = [
        Outcome(what: "200", steps: [.say(Wire.answer("ok"))], status: 200, isKept: true),
        Outcome(
            what: "404: the upstream has done its part", steps: [.say(Wire.answer("", status: "404 Not Found"))],
            status: 404, isKept: true),
        Outcome(
            what: "500", steps: [.say(Wire.answer("", status: "500 Internal Server Error"))], status: 500,
            isKept: false),
        Outcome(
            what: "503", steps: [.say(Wire.answer("", status: "503 Service Unavailable"))], status: 503, isKept: false),
        Outcome(what: "no answer in time", steps: [.pause(.seconds(20))], status: 504, isKept: false),
        Outcome(what: "hung up before an answer", steps: [.hangUp], status: 502, isKept: false),
        Outcome(what: "no HTTP", steps: [.say("nonsense\r\n\r\n")], status: 502, isKept: false),
        Outcome(
            what: "cut off", steps: [.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"), .hangUp], status: 200,
            isKept: false),
        Outcome(
            what: "reset",
            steps: [.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart"), .reset],
            status: 200, isKept: false),
    ]

    private static let route = "charge: success, cost: 2, timeouts: {response: 300ms}"

    /// Sends a request and tells the status of what came until the end of the connection.
    private static func status(_ gateways: KeyedGateways) async throws -> Int? {
        let answer = try await RawClient.ask(
            gateways.port, Wire.post("/api", fields: "Connection: close\r\n" + gateways.authorization(), body: "{}"))
        return answer.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }

    /// Sets the count to 10, so that one call given back twice would show.
    private static func begin(_ gateways: KeyedGateways) async throws {
        for _ in 1...10 { _ = try await gateways.send("POST", "/verify-auth") }
    }

    /// Waits until nothing is reserved any more, and no attempt is in progress.
    private static func isSettled(_ gateways: KeyedGateways) async throws {
        try await withRedisClient(gateways.redis.patientConfiguration) { redis in
            try await eventually("nothing is reserved") {
                let isReserved = try await redis.send("EXISTS reservations:{user_abc}").integer == 1
                let state = try await redis.send("HGET idempotency:{user_abc}:{k} state").string
                return !isReserved && state != "open"
            }
        }
    }

    @Test(arguments: 0..<outcomes.count) func theOutcomeDecides(number: Int) async throws {
        let outcome = Self.outcomes[number]
        let upstream = try await ScriptedUpstream { _, text in text.hasSuffix("{}") ? outcome.steps : nil }
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, Self.route))
        try await withRoutedGateways(file: file) { gateways in
            try await Self.begin(gateways)
            let status = try await Self.status(gateways)
            #expect(status == outcome.status, "\(outcome.what)")
            try await Self.isSettled(gateways)
            let used = try await gateways.usedCalls()
            #expect(used == (outcome.isKept ? 12 : 10), "\(outcome.what)")
        }
        try await upstream.close()
    }

    @Test func anUpstreamThatIsNotThereCostsNothing() async throws {
        let upstream = try await ScriptedUpstream.answering([])
        let port = upstream.port
        try await upstream.close()
        let file = RouteFile.text(RouteFile.route("/api", to: port, Self.route))
        try await withRoutedGateways(file: file) { gateways in
            try await Self.begin(gateways)
            for _ in 1...3 {
                let status = try await Self.status(gateways)
                #expect(status == 502 || status == 503)
            }
            try await Self.isSettled(gateways)
            let used = try await gateways.usedCalls()
            #expect(used == 10)
        }
    }

    /// What an upstream has said by the time that its client leaves.
    @Test(arguments: [
        ("", isKept: true), ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", isKept: true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", isKept: true),
        ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\npart", isKept: false),
    ])
    func aClientThatLeavesPaysForWhatWasAsked(said: String, isKept: Bool) async throws {
        let upstream = try await ManualUpstream()
        let route = "charge: success, cost: 2"
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, route))
        try await withRoutedGateways(file: file) { gateways in
            try await Self.begin(gateways)
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.get("/api", fields: gateways.authorization()))
            try await upstream.waits(for: "\r\n\r\n")
            let during = try await gateways.usedCalls()
            #expect(during == 12, "charged at once: no user gets more than there is")
            if !said.isEmpty {
                try await upstream.say(said)
                try await client.waits(for: "part")
            }
            // One that only says that it sends nothing more may still be waiting.
            try await client.reset()
            try await eventually("the upstream sees it") { upstream.closedCount == 1 }
            try await Self.isSettled(gateways)
            let used = try await gateways.usedCalls()
            #expect(used == (isKept ? 12 : 10))
        }
        try await upstream.close()
    }

    @Test func readingAllButTheLastByteIsNotFree() async throws {
        let almost = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall but "), .pause(.seconds(20)),
        ])
        let file = RouteFile.text(
            plans: "plans:\n  free: { quota: 5 }\n", RouteFile.route("/api", to: almost.port, "charge: success"))
        try await withRoutedGateways(file: file) { gateways in
            for call in 1...6 {
                let client = try await RawClient.connect(port: gateways.port)
                try await client.send(Wire.get("/api", fields: gateways.authorization()))
                try await client.waits(for: call > 5 ? "quota-exceeded" : "all but ")
                try await client.reset()
                try await Self.isSettled(gateways)
            }
            let used = try await gateways.usedCalls()
            #expect(used == 5)
        }
        try await almost.close()
    }

    /// The body is chunked, so its size is known only when the upstream has got the beginning of it.
    @Test func aBodyOverTheLimitIsPaidOnceTheUpstreamWasAsked() async throws {
        let upstream = try await ManualUpstream()
        let route = "charge: success, cost: 2, limits: {body: 8}"
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, route))
        try await withRoutedGateways(file: file) { gateways in
            try await Self.begin(gateways)
            let announced = try await RawClient.ask(
                gateways.port,
                Wire.post("/api", fields: "Connection: close\r\n" + gateways.authorization(), body: "123456789"))
            #expect(announced.hasPrefix("HTTP/1.1 413"), "\(announced)")
            #expect(try await gateways.usedCalls() == 10, "known from the head: Redis was not asked")

            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(
                "POST /api HTTP/1.1\r\nHost: api.example\r\n\(gateways.authorization())Transfer-Encoding: chunked\r\n\r\n"
                    + Wire.chunk("12345678"))
            try await upstream.waits(for: "12345678")
            try await client.send(Wire.chunk("9"))
            try await client.waits(for: "HTTP/1.1 413")
            try await Self.isSettled(gateways)
            #expect(try await gateways.usedCalls() == 12)
            try? await client.close()
        }
        try await upstream.close()
    }

    @Test func aBodyThatStopsIsPaidOnceTheUpstreamWasAsked() async throws {
        let upstream = try await ManualUpstream()
        let route = "charge: success, cost: 2, timeouts: {idle: 300ms}"
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, route))
        try await withRoutedGateways(file: file) { gateways in
            try await Self.begin(gateways)
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(
                "POST /api HTTP/1.1\r\nHost: api.example\r\n\(gateways.authorization())Content-Length: 10\r\n\r\nhalf")
            try await client.waits(for: "HTTP/1.1 408")
            try await Self.isSettled(gateways)
            #expect(try await gateways.usedCalls() == 12)
            try? await client.close()
        }
        try await upstream.close()
    }

    /// The upstream has said all but the end of its answer, and waits no longer for the rest of the body.
    @Test(arguments: [("half", isKept: true), ("half a body", isKept: false)])
    func aBodyThatIsKeptBackMakesNoAnswerFree(body: String, isKept: Bool) async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success, cost: 2"))
        try await withRoutedGateways(file: file) { gateways in
            try await Self.begin(gateways)
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(
                "POST /api HTTP/1.1\r\nHost: api.example\r\n\(gateways.authorization())Content-Length: 11\r\n\r\n"
                    + body)
            try await upstream.waits(for: body)
            try await upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall but ")
            try await client.waits(for: "all but ")
            try await upstream.hangUp()
            try await Self.isSettled(gateways)
            #expect(try await gateways.usedCalls() == (isKept ? 12 : 10))
            try? await client.close()
        }
        try await upstream.close()
    }

    @Test func whatIsChargedWhenAdmittedStaysCharged() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say(Wire.answer("", status: "500 Internal Server Error"))
        ])
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: admitted, cost: 2"))
        try await withRoutedGateways(file: file) { gateways in
            let answer = try await gateways.send("GET", "/api")
            #expect(answer.status == 500)
            try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                let reserved = try await redis.send("EXISTS reservations:{user_abc}").integer
                #expect(reserved == 0, "there is nothing to be settled")
            }
            let used = try await gateways.usedCalls()
            #expect(used == 2)
        }
        try await upstream.close()
    }

    /// A call that failed was none: sending it again is the first call under its key.
    @Test(arguments: ["success", "admitted"]) func aRepeatAfterAFailureIsChargedOnce(charge: String) async throws {
        let upstream = try await ScriptedUpstream { number, text in
            guard text.contains("\r\n\r\n") else { return nil }
            return [.say(Wire.answer("", status: number < 3 ? "500 Internal Server Error" : "200 OK"))]
        }
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: \(charge), cost: 2"))
        try await withRoutedGateways(file: file) { gateways in
            for status in [500, 500, 200] {
                let answer = try await HTTP.get(
                    "/api", port: gateways.port, headers: try gateways.bearer("user_abc") + [("Idempotency-Key", "k")])
                #expect(answer.status == status)
                try await Self.isSettled(gateways)
                let used = try await gateways.usedCalls()
                #expect(used == (status == 200 || charge == "admitted" ? 2 : 0))
            }
        }
        try await upstream.close()
    }

    /// It may stay open for longer than any lease.
    @Test func aWebSocketIsPaidWhenItOpens() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success, cost: 2"))
        try await withRoutedGateways(file: file) { gateways in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(
                Wire.get("/api", fields: gateways.authorization() + "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            try await client.waits(for: "HTTP/1.1 101")
            try await Self.isSettled(gateways)
            #expect(try await gateways.usedCalls() == 2)
            try await client.close()
        }
        try await upstream.close()
    }
}
