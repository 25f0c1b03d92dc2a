import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// A call with an `Idempotency-Key` is carried out once for its price, however often it is sent.
@Suite(.timeLimit(.minutes(6))) struct IdempotencyTests {
    private static let replay = "cost: 3, idempotency: replay"

    /// - Parameter steps: What the upstream does about each request.
    private static func run(
        _ route: String = replay,
        steps: [ScriptedUpstream.Step] = [.say(Wire.answer("done", fields: "Set-Cookie: a=b\r\nX-Order: 7\r\n"))],
        _ body: @escaping @Sendable (KeyedGateways, ScriptedUpstream) async throws -> Void
    ) async throws {
        let upstream = try await ScriptedUpstream { _, text in
            guard let head = text.firstRange(of: "\r\n\r\n") else { return nil }
            let length =
                text[..<head.lowerBound].lowercased().firstRange(of: "content-length: ")
                .map { text[$0.upperBound...].prefix(while: \.isNumber) }.flatMap { Int($0) } ?? 0
            return text[head.upperBound...].utf8.count >= length ? steps : nil
        }
        let file = RouteFile.text(RouteFile.route("/orders", to: upstream.port, route))
        try await withRoutedGateways(2, file: file) { try await body($0, upstream) }
        try await upstream.close()
    }

    private static func withManualUpstream(
        _ route: String = replay, _ body: @escaping @Sendable (KeyedGateways, ManualUpstream) async throws -> Void
    ) async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/orders", to: upstream.port, route))
        try await withRoutedGateways(2, file: file) { try await body($0, upstream) }
        try await upstream.close()
    }

    private static func ask(
        _ gateways: KeyedGateways, _ method: String = "POST", _ path: String = "/orders/7", key: String = "k",
        user: String = "user_abc", headers: [(String, String)] = [], body: String? = "{}", on gateway: Int = 0
    ) async throws -> HTTP.Answer {
        try await HTTP.send(
            method, path, port: gateways.ports[gateway].publicPort,
            headers: try gateways.bearer(user) + headers + [("Host", "api.example"), ("Idempotency-Key", key)],
            body: body)
    }

    private static func state(_ gateways: KeyedGateways, is state: String) async throws {
        try await withRedisClient(gateways.redis.patientConfiguration) { redis in
            try await eventually("the call is \(state)") {
                try await redis.send("HGET idempotency:{user_abc}:{k} state").string == state
            }
        }
    }

    private static func fields(_ gateways: KeyedGateways) throws -> String {
        try gateways.authorization() + "Idempotency-Key: k\r\n"
    }

    @Test func aFinishedCallIsReplayed() async throws {
        try await Self.run { gateways, upstream in
            let first = try await Self.ask(gateways)
            #expect(first.status == 200 && first.body == "done" && first.headers["set-cookie"] == "a=b")
            #expect(first.headers["idempotent-replayed"] == nil)
            try await Self.state(gateways, is: "finished")
            for place in 2...4 {
                let again = try await Self.ask(gateways, on: place % 2)
                #expect(again.status == 200 && again.body == "done" && again.headers["x-order"] == "7")
                #expect(again.headers["idempotent-replayed"] == "true" && again.headers["set-cookie"] == nil)
                #expect(again.headers["ratelimit"]?.contains("\"minute\";r=\(1_000_000 - place)") == true)
                #expect(again.headers["content-length"] == "4")
                #expect(again.headers["x-request-id"] != first.headers["x-request-id"])
            }
            #expect(upstream.received.ranges(of: "POST /orders/7").count == 1)
            #expect(try await gateways.usedCalls() == 3)
            let other = try await Self.ask(gateways, key: "k-2")
            #expect(other.headers["idempotent-replayed"] == nil)
            let another = try await Self.ask(gateways, user: "user_def")
            #expect(another.headers["idempotent-replayed"] == nil, "keys of two users have nothing in common")
            #expect(upstream.received.ranges(of: "POST /orders/7").count == 3)
            #expect(try await gateways.usedCalls() == 6)
        }
    }

    @Test(arguments: [
        "HTTP/1.1 204 No Content\r\nX-Order: 7\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nX-Order: 7\r\n\r\n3\r\nnot\r\n0\r\n\r\n",
    ])
    func answersOfEveryFormAreReplayed(text: String) async throws {
        try await Self.run(steps: [.say(text)]) { gateways, upstream in
            let first = try await Self.ask(gateways, "GET", body: nil)
            try await Self.state(gateways, is: "finished")
            let again = try await Self.ask(gateways, "GET", body: nil)
            #expect(again.status == first.status && again.body == first.body && again.headers["x-order"] == "7")
            #expect(again.headers["idempotent-replayed"] == "true")
            #expect(upstream.received.ranges(of: "GET /orders/7").count == 1)
        }
    }

    @Test func oneKeyBuysOneCall() async throws {
        for route in [Self.replay, "cost: 3"] {
            try await Self.run(route) { gateways, upstream in
                _ = try await Self.ask(gateways, body: "{0}")
                try await Self.state(gateways, is: "finished")
                for number in 1...11 {
                    let answer = try await Self.ask(gateways, body: "{\(number % 10 + 1)}", on: number % 2)
                    #expect(answer.status == 422 && answer.member("code") == "idempotency-key-reused")
                }
                for (method, path) in [("POST", "/orders/8"), ("PUT", "/orders/7"), ("POST", "/orders/7?x=1")] {
                    let answer = try await Self.ask(gateways, method, path, body: "{0}", on: 1)
                    #expect(answer.status == 422, "\(method) \(path)")
                }
                #expect(upstream.received.ranges(of: " HTTP/1.1").count == 1)
                #expect(try await gateways.usedCalls() == 3)
            }
        }
    }

    @Test(arguments: ["head garbage", "status 999", "status abc"])
    func aKeptAnswerThatIsDamagedMakesARepeatAnOrdinaryCall(damage: String) async throws {
        try await Self.run { gateways, upstream in
            _ = try await Self.ask(gateways)
            try await Self.state(gateways, is: "finished")
            _ = try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                try await redis.send("HSET idempotency:{user_abc}:{k} \(damage)")
            }
            let again = try await Self.ask(gateways, on: 1)
            #expect(again.status == 200 && again.body == "done" && again.headers["idempotent-replayed"] == nil)
            #expect(upstream.received.ranges(of: "POST /orders/7").count == 2)
            #expect(try await gateways.usedCalls() == 6)
        }
    }

    @Test func withoutTheSettingARepeatIsAnOrdinaryCall() async throws {
        try await Self.run("cost: 3") { gateways, upstream in
            for count in 1...3 {
                let answer = try await Self.ask(gateways)
                #expect(answer.status == 200 && answer.headers["idempotent-replayed"] == nil)
                try await Self.state(gateways, is: "finished")
                #expect(try await gateways.usedCalls() == 3 * count)
                #expect(upstream.received.ranges(of: "POST /orders/7").count == count)
            }
        }
    }

    @Test func anAnswerThatIsTooLongIsNotReplayed() async throws {
        let long = String(repeating: "x", count: 64 * 1024 + 1)
        try await Self.run(steps: [.say(Wire.answer(long))]) { gateways, _ in
            for count in 1...2 {
                let answer = try await Self.ask(gateways)
                #expect(answer.body.utf8.count == long.utf8.count && answer.headers["idempotent-replayed"] == nil)
                try await Self.state(gateways, is: "finished")
                #expect(try await gateways.usedCalls() == 3 * count)
            }
        }
    }

    @Test func aBodyThatIsTooLongMakesItAnOrdinaryCall() async throws {
        try await Self.withManualUpstream { gateways, upstream in
            let long = String(repeating: "x", count: 64 * 1024 + 1)
            let requests = [
                Wire.post("/orders/7", fields: try Self.fields(gateways) + "Connection: close\r\n", body: long),
                "POST /orders/7 HTTP/1.1\r\nHost: api.example\r\n\(try Self.fields(gateways))"
                    + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n\(Wire.chunk(long))0\r\n\r\n",
            ]
            for (count, request) in zip(1..., requests + requests) {
                let client = try await RawClient.connect(port: gateways.port)
                try await client.send(request)
                try await eventually("the body is there") {
                    upstream.text.count { $0 == "x" } >= count * long.utf8.count
                }
                try await upstream.say(Wire.answer("done", fields: "Connection: close\r\n"))
                try await client.waits(for: "done")
                #expect(!client.text.contains("Idempotent-Replayed"))
                try? await client.close()
                #expect(try await gateways.usedCalls() == 3 * count)
            }
        }
    }

    @Test func aRepeatOfWhatIsInProgressWaits() async throws {
        try await Self.withManualUpstream { gateways, upstream in
            async let first = Self.ask(gateways)
            try await upstream.waits(for: "{}")
            for gateway in [0, 1] {
                let early = try await Self.ask(gateways, on: gateway)
                #expect(early.status == 409 && early.headers["retry-after"] == "1")
                #expect(early.member("code") == "idempotency-key-in-use")
            }
            #expect(try await gateways.usedCalls() == 3)
            try await upstream.say(Wire.answer("done"))
            let answer = try await first
            #expect(answer.status == 200)
            try await Self.state(gateways, is: "finished")
            let later = try await Self.ask(gateways, on: 1)
            #expect(later.body == "done" && later.headers["idempotent-replayed"] == "true")
            #expect(upstream.connectionCount == 1)
        }
    }

    /// The first attempt is admitted and settled; a repeat is admitted, and its answer read.
    @Test func aRepeatIsAdmittedLikeAnyCall() async throws {
        try await Self.run { gateways, _ in
            try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                for (warmth, key) in zip(0..., ["first", "k"]) {
                    try await redis.send("CONFIG RESETSTAT")
                    _ = try await Self.ask(gateways, key: key)
                    try await eventually("it is settled") {
                        try await redis.send("HGET idempotency:{user_abc}:{\(key)} state").string == "finished"
                    }
                    if warmth > 0 { #expect(try await redis.calls(of: "evalsha") == 2) }
                }
                let again = try await Self.ask(gateways)
                #expect(again.headers["idempotent-replayed"] == "true")
                #expect(try await redis.calls(of: "evalsha") == 3)
            }
        }
    }

    @Test func ofManyAtOnceOneIsCarriedOut() async throws {
        try await Self.run(steps: [.pause(.milliseconds(50)), .say(Wire.answer("done"))]) { gateways, upstream in
            let answers = try await withThrowingTaskGroup(of: HTTP.Answer.self) { group in
                for number in 0..<20 { group.addTask { try await Self.ask(gateways, on: number % 2) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 409 || $0.body == "done" })
            #expect(answers.count { $0.status == 200 && $0.headers["idempotent-replayed"] == nil } == 1)
            #expect(upstream.received.ranges(of: "POST /orders/7").count == 1)
            #expect(try await gateways.usedCalls() == 3)
        }
    }

    /// It will ask again: then the answer is there.
    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
    func theAnswerWaitsForAClientThatHasLeft(said: String) async throws {
        try await Self.withManualUpstream { gateways, upstream in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.post("/orders/7", fields: Self.fields(gateways), body: "{}"))
            try await upstream.waits(for: "{}")
            if !said.isEmpty {
                try await upstream.say(said)
                try await client.waits(for: "half")
            }
            try await client.reset()
            let early = try await Self.ask(gateways, on: 1)
            #expect(early.status == 409)
            try await upstream.say(said.isEmpty ? Wire.answer("half other") : " other")
            try await Self.state(gateways, is: "finished")
            let again = try await Self.ask(gateways)
            #expect(again.body == "half other" && again.headers["idempotent-replayed"] == "true")
            #expect(upstream.connectionCount == 1)
            #expect(try await gateways.usedCalls() == 3)
        }
    }

    /// An answer that cannot be kept has no reader.
    @Test func anUpstreamIsHungUpOnWhenItsAnswerBecomesTooLong() async throws {
        try await Self.withManualUpstream { gateways, upstream in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.post("/orders/7", fields: Self.fields(gateways), body: "{}"))
            try await upstream.waits(for: "{}")
            try await upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf")
            try await client.waits(for: "half")
            try await client.close()
            #expect(upstream.closedCount == 0)
            try await upstream.say(String(repeating: "x", count: 70_000))
            try await eventually("the upstream sees it") { upstream.closedCount == 1 }
            try await Self.state(gateways, is: "finished")
            #expect(try await gateways.usedCalls() == 3)
        }
    }

    @Test func aStreamPassesAsItComesAndIsReplayedWhole() async throws {
        try await Self.withManualUpstream { gateways, upstream in
            let client = try await RawClient.connect(port: gateways.port)
            try await client.send(Wire.get("/orders/7", fields: Self.fields(gateways)))
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Wire.chunk("one "))
            try await client.waits(for: "one ")
            try await upstream.say(Wire.chunk("two"))
            try await client.waits(for: "two")
            try await upstream.say("0\r\n\r\n")
            try await client.waits(for: "0\r\n\r\n")
            try await Self.state(gateways, is: "finished")
            let again = try await Self.ask(gateways, "GET", body: nil, on: 1)
            #expect(again.body == "one two" && again.headers["idempotent-replayed"] == "true")
            try await client.close()
        }
    }

    @Test func whoeverWaitsForContinueGetsIt() async throws {
        try await Self.run { gateways, upstream in
            for attempt in 1...2 {
                let client = try await RawClient.connect(port: gateways.port)
                try await client.send(
                    "POST /orders/7 HTTP/1.1\r\nHost: api.example\r\n\(try Self.fields(gateways))"
                        + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
                try await client.waits(for: "HTTP/1.1 100 Continue\r\n\r\n")
                try await client.send("{}")
                try await client.waits(for: "done")
                #expect(client.text.ranges(of: "100 Continue").count == 1)
                #expect(client.text.contains("Idempotent-Replayed: true") == (attempt == 2))
                try await client.close()
                try await Self.state(gateways, is: "finished")
            }
            #expect(upstream.received.ranges(of: "POST /orders/7").count == 1)
        }
    }

    @Test(arguments: ["two words", "{braces}", "\"", "back\\slash", String(repeating: "k", count: 256), ""])
    func keysThatAreNoneAreRefused(key: String) async throws {
        try await Self.run { gateways, _ in
            for (method, path) in [("GET", "/orders/7"), ("POST", "/verify-auth")] {
                let answer = try await Self.ask(gateways, method, path, key: key, body: nil)
                #expect(answer.status == 400, "\(path)")
                #expect(answer.member("code") == "bad-idempotency-key")
            }
            let twice = try await Self.ask(gateways, headers: [("Idempotency-Key", "other")])
            #expect(twice.status == 400)
            #expect(try await gateways.usedCalls() == 0)
        }
    }

    @Test func aDayLaterItIsAnotherCall() async throws {
        try await Self.run { gateways, _ in
            _ = try await Self.ask(gateways)
            try await Self.state(gateways, is: "finished")
            gateways.time.advance(seconds: 86_399)
            let again = try await Self.ask(gateways)
            #expect(again.headers["idempotent-replayed"] == "true")
            gateways.time.advance(seconds: 1)
            let later = try await Self.ask(gateways, "POST", "/orders/8")
            #expect(later.status == 200 && later.headers["idempotent-replayed"] == nil, "and may be another request")
            #expect(try await gateways.usedCalls() == 6)
        }
    }

    @Test func verifyAuthReplaysItsOwnAnswer() async throws {
        try await Self.run { gateways, _ in
            func verify(_ body: String? = nil, on gateway: Int = 0) async throws -> HTTP.Answer {
                try await Self.ask(gateways, "POST", "/verify-auth", body: body, on: gateway)
            }
            let first = try await verify()
            #expect(first.status == 200 && first.usedCalls == 1)
            try await Self.state(gateways, is: "finished")
            let other = try await gateways.send("POST", "/verify-auth")
            #expect(other.usedCalls == 2)
            let again = try await verify(on: 1)
            #expect(again.status == 200 && again.body == first.body && again.headers["idempotent-replayed"] == "true")
            #expect(again.headers["content-type"] == "application/json" && again.headers["date"] != nil)
            let reused = try await verify("{}")
            #expect(reused.status == 422)
            #expect(try await gateways.usedCalls() == 2)
        }
    }

    /// It never learns what became of the request that it was asked about.
    @Test func proxiesThatAskGetNoRepeats() async throws {
        try await Self.run { gateways, _ in
            for (count, key) in zip(1..., ["k", "k", "no key"]) {
                let original = [
                    ("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/orders/7"), ("X-Forwarded-Host", "a"),
                ]
                let answer = try await Self.ask(
                    gateways, "GET", "/authorize", key: key, headers: original, body: nil)
                #expect(answer.status == 200, "\(answer.body)")
                #expect(try await gateways.usedCalls() == 3 * count)
            }
        }
    }

    /// Whether it is a repeat, only Redis knows.
    @Test func nothingIsCarriedOutTwiceWhileRedisIsAway() async throws {
        try await Self.run(Self.replay + ", onRedisDown: open") { gateways, upstream in
            _ = try await Self.ask(gateways)
            try await Self.state(gateways, is: "finished")
            await gateways.redis.kill()
            let repeated = try await Self.ask(gateways)
            #expect(repeated.status == 503)
            let keyless = try await gateways.send("GET", "/orders/7")
            #expect(keyless.status == 200)
            #expect(upstream.received.ranges(of: "POST /orders/7").count == 1)
            // A gateway that ends without Redis tries for half a minute to book what has passed.
            try await gateways.redis.restart()
        }
    }
}
