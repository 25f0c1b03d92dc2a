import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Calls that pass while Redis is away: no more than all workers together may let through, and booked once when Redis is
/// back.
@Suite(.timeLimit(.minutes(6))) struct OutageBookingTests {
    /// Redis keeps what it has when it is killed.
    private static let durable = ["--appendonly", "yes", "--appendfsync", "always"]
    private static let plans =
        "plans:\n  free: { quota: 1000000, ratePerMinute: 11 }\n  paid: { quota: 1000000, ratePerMinute: 20 }\n"

    /// Gateways, a key of `user_abc` that each of them has seen admitted, and a connection to Redis around any relay.
    private struct Scene {
        let gateways: ObservedGateways
        let relay: LossyRelay
        let key: String

        var count: Int { gateways.count }

        func call(_ path: String = "/open", on gateway: Int = 0, key: String? = nil) async throws -> HTTP.Answer {
            try await HTTP.get(path, port: gateways.port(gateway), headers: [("X-API-Key", key ?? self.key)])
        }

        /// How many of so many calls pass without Redis; the others are refused.
        func passes(of tries: Int, on gateway: Int = 0, path: String = "/open") async throws -> Int {
            var passed = 0
            for _ in 1...tries {
                let answer = try await call(path, on: gateway)
                guard answer.status != 503 else { continue }
                #expect(answer.headers["x-tollgate-degraded"] == "redis-unavailable")
                passed += 1
            }
            return passed
        }

        /// Calls until Redis has admitted one; says how many passed before that.
        func passesUntilRedisDecides() async throws -> Int {
            var passed = 0
            try await eventually("Redis decides again") {
                let answer = try await call()
                if answer.headers["x-tollgate-degraded"] != nil { passed += 1 }
                return answer.status == 200 && answer.headers["x-tollgate-degraded"] == nil
            }
            return passed
        }

        /// The sum of a metric of all gateways.
        func metric(_ name: String) async throws -> Int {
            var sum = 0
            for gateway in 0..<count {
                let lines = try await gateways.get("/metrics", of: gateway).body.split(separator: "\n")
                sum += lines.first { $0.hasPrefix(name + " ") }.flatMap { Int($0.dropFirst(name.count + 1)) } ?? 0
            }
            return sum
        }

        /// Ends Redis, and waits until every gateway has noticed: what is sent before has perhaps been done.
        func killRedis() async throws {
            await gateways.redis.kill()
            try await eventually("all have noticed") { try await metric("tollgate_redis_connections_ready") == 0 }
        }

        func everythingIsBooked() async throws {
            try await eventually("everything is booked", within: .seconds(20)) {
                try await metric("tollgate_outage_calls_waiting") == 0
            }
        }

        /// What Redis says of the user: the record, and the days by route.
        func usage(_ name: String = "usage:{user_abc}") async throws -> [String: String] {
            try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                let fields = try await redis.send("HGETALL \(name)").array?.compactMap(\.string) ?? []
                return Dictionary(
                    uniqueKeysWithValues: stride(from: 0, to: fields.count, by: 2).map {
                        (fields[$0], fields[$0 + 1])
                    })
            }
        }

        func usedCalls() async throws -> Int { try #require(try await usage()["usageCount"].flatMap { Int($0) }) }
    }

    /// - Parameter routes: What the route `/open` is told beside that it is.
    private static func run(
        _ count: Int = 1, route: String = "",
        upstream script: @escaping @Sendable (String) -> String = { _ in "200 OK" },
        log: KeptLog = KeptLog(), _ body: (Scene) async throws -> Void
    ) async throws {
        let upstream = try await ScriptedUpstream { _, text in
            text.contains("\r\n\r\n") ? [.say(Wire.answer("ok", status: script(text)))] : nil
        }
        let relay = try await LossyRelay()
        let file = RouteFile.text(
            plans: plans, RouteFile.route("/open", to: upstream.port, "onRedisDown: open" + route))
        try await withObservedGateways(
            count, yaml: file, redisArguments: durable,
            redisURL: { server in
                relay.lead(to: server.port)
                return "redis://127.0.0.1:\(relay.port)"
            }, logger: log.logger
        ) { gateways in
            let made = try await gateways.send("POST", "/keys", as: "user_abc", body: #"{"name":"CI"}"#)
            let scene = Scene(gateways: gateways, relay: relay, key: try #require(made.member("key"), "\(made.body)"))
            for gateway in 0..<count {
                let answer = try await scene.call(on: gateway)
                #expect(answer.status == 200 && answer.headers["x-tollgate-degraded"] == nil)
            }
            try await eventually("each has seen all others", within: .seconds(20)) {
                try await scene.metric("tollgate_workers_alive") == count * count
            }
            // A minute of which nothing is used.
            gateways.time.advance(seconds: 60)
            try await body(scene)
        }
        try await relay.close()
        try await upstream.close()
    }

    // MARK: How many

    @Test func workersPassTogetherWhatThePlanAllows() async throws {
        try await Self.run(2) { scene in
            let before = try await scene.usedCalls()
            try await scene.killRedis()
            for _ in 1...2 {
                var passed: [Int] = []
                for gateway in 0..<2 { passed.append(try await scene.passes(of: 15, on: gateway)) }
                #expect(passed.sorted() == [5, 6], "11 in all")
                scene.gateways.time.advance(seconds: 60)
            }
            #expect(try await scene.metric("tollgate_outage_calls_waiting") == 22)
            #expect(try await scene.metric("tollgate_outage_calls_left_to_redis_total") == 0)
            try await scene.gateways.redis.restart()
            try await scene.everythingIsBooked()
            #expect(try await scene.usedCalls() == before + 22)
            #expect(try await scene.usage("usage:{user_abc}:2025-11-2")["26/open"] == "24")
            #expect(try await scene.usage("booked:{user_abc}").count == 2, "each worker has told its own")
            #expect(try await scene.metric("tollgate_outage_calls_booked_total") == 22)
            let more = try await scene.passesUntilRedisDecides()
            try await scene.everythingIsBooked()
            #expect(try await scene.usedCalls() == before + 23 + more)
        }
    }

    @Test func thePlanAndWhatIsUsedOfTheMinuteAreRemembered() async throws {
        try await Self.run { scene in
            func callWithToken() async throws -> HTTP.Answer {
                let headers = [try scene.gateways.bearer("user_abc", plan: "paid")]
                return try await HTTP.get("/open", port: scene.gateways.port(), headers: headers)
            }
            for _ in 1...2 { #expect(try await callWithToken().status == 200) }
            for _ in 1...3 { #expect(try await scene.call().status == 200) }
            try await scene.killRedis()
            #expect(try await scene.passes(of: 25) == 15, "20 a minute, of which 5 are used")
            #expect(try await callWithToken().status == 503)
            scene.gateways.time.advance(seconds: 60)
            #expect(try await scene.passes(of: 25) == 20)
            try await scene.gateways.redis.restart()
            try await scene.everythingIsBooked()
        }
    }

    // MARK: Once

    @Test func aBookingWhoseAnswerIsLostIsBookedOnce() async throws {
        try await Self.run { scene in
            let before = try await scene.usedCalls()
            try await scene.killRedis()
            #expect(try await scene.passes(of: 7) == 7)
            // Redis does not know the script after its restart, so it is sent as it is.
            scene.relay.loseAnswer(to: "-- Books calls that have passed a worker")
            try await scene.gateways.redis.restart()
            try await eventually("Redis has booked it") { try await scene.usedCalls() == before + 7 }
            #expect(scene.relay.hasHeardText)
            try await scene.everythingIsBooked()
            #expect(try await scene.usedCalls() == before + 7)
            #expect(try await scene.usage("usage:{user_abc}:2025-11-2")["26/open"] == "8")
            #expect(try await scene.metric("tollgate_outage_calls_booked_total") == 7)
        }
    }

    /// What was sent before it was noticed that Redis hangs, Redis carries out when it wakes up; the rest is booked. Where
    /// success is charged, all is booked: what Redis has reserved for no worker goes back.
    @Test(arguments: ["admitted", "success"]) func aRedisThatHangsCountsEveryCallOnce(charge: String) async throws {
        try await Self.run(2, route: ", charge: \(charge)") { scene in
            let before = try await scene.usedCalls()
            scene.gateways.redis.suspend()
            var passed = 0
            for gateway in [0, 1, 0, 1] { passed += try await scene.passes(of: 3, on: gateway) }
            #expect(passed == 11)
            scene.gateways.redis.resume()
            try await scene.everythingIsBooked()
            let booked = try await scene.metric("tollgate_outage_calls_booked_total")
            let left = try await scene.metric("tollgate_outage_calls_left_to_redis_total")
            #expect(booked + left == passed && booked > 0, "\(booked) and \(left)")
            if charge == "success" { #expect(left == 0) }
            // Later than any lease.
            scene.gateways.time.advance(seconds: 1000)
            passed += try await scene.passesUntilRedisDecides()
            try await scene.everythingIsBooked()
            #expect(try await scene.usedCalls() == before + passed + 1)
            #expect(try await scene.usage("usage:{user_abc}:2025-11-2")["26/open"] == "\(3 + passed)")
        }
    }

    // MARK: What for

    @Test func callsGoToTheMonthThatTheyPassedIn() async throws {
        try await Self.run { scene in
            let before = try await scene.usedCalls()
            try await scene.killRedis()
            scene.gateways.time.set(try #require(UnixTime(iso8601: "2025-11-30T23:59:59Z")))
            #expect(try await scene.passes(of: 2) == 2)
            scene.gateways.time.advance(seconds: 1)
            #expect(try await scene.passes(of: 3) == 3)
            try await scene.gateways.redis.restart()
            try await scene.everythingIsBooked()
            let usage = try await scene.usage()
            #expect(usage["usageCount"] == "3" && usage["periodStart"] == "2025-12-01")
            #expect(
                usage["previousUsageCount"] == "\(before + 2)" && usage["previousPeriodStart"] == "2025-11-01")
            #expect(try await scene.usage("usage:{user_abc}:2025-11-3")["30/open"] == "2")
            #expect(try await scene.usage("usage:{user_abc}:2025-12-0") == ["01/open": "3"])
        }
    }

    /// Where success is charged, a call that failed on our side costs nothing; nor does an attempt that may be repeated.
    @Test(arguments: [", charge: success", ""]) func whatFailsIsNotBookedWhereSuccessIsCharged(route: String)
        async throws
    {
        try await Self.run(
            route: route + ", cost: 2", upstream: { $0.contains("GET /open/fails") ? "500 No" : "200 OK" }
        ) {
            scene in
            let before = try await scene.usedCalls()
            try await scene.killRedis()
            for path in ["/open", "/open/fails", "/open"] {
                #expect(try await scene.call(path).status == (path == "/open" ? 200 : 500))
            }
            for (path, status) in [("/open/fails", 500), ("/open", 200)] {
                let answer = try await HTTP.get(
                    path, port: scene.gateways.port(), headers: [("X-API-Key", scene.key), ("Idempotency-Key", "k")])
                #expect(answer.status == status && answer.headers["x-tollgate-degraded"] != nil)
            }
            try await scene.gateways.redis.restart()
            try await scene.everythingIsBooked()
            #expect(try await scene.usedCalls() == before + (route.isEmpty ? 8 : 6))
        }
    }

    /// What becomes of it is seen elsewhere.
    @Test(arguments: ["admitted", "success"]) func whatAProxyAsksAboutIsBookedAtOnce(charge: String) async throws {
        try await Self.run(route: ", cost: 3, charge: \(charge)") { scene in
            let before = try await scene.usedCalls()
            try await scene.killRedis()
            let answer = try await scene.call("/authorize/open")
            #expect(answer.status == 200 && answer.headers["x-tollgate-degraded"] == "redis-unavailable")
            try await scene.gateways.redis.restart()
            try await scene.everythingIsBooked()
            #expect(try await scene.usedCalls() == before + 3)
        }
    }

    // MARK: What cannot be booked

    @Test func aDamagedRecordHoldsUpNobodyElse() async throws {
        let log = KeptLog()
        try await Self.run(log: log) { scene in
            let other = try scene.gateways.bearer("user_def")
            try await withRedisClient(scene.gateways.redis.patientConfiguration) { redis in
                _ = try await redis.send("SET usage:{user_def} text")
            }
            try await scene.killRedis()
            #expect(try await HTTP.get("/open", port: scene.gateways.port(), headers: [other]).status == 200)
            #expect(try await scene.passes(of: 3) == 3)
            try await scene.gateways.redis.restart()
            try await eventually("the others are booked") {
                try await scene.metric("tollgate_outage_calls_booked_total") == 3
            }
            try await eventually("the error is counted") {
                try await scene.metric("tollgate_store_errors_total{code=\"WRONGTYPE\"}") > 0
            }
            #expect(try await scene.metric("tollgate_outage_calls_waiting") == 1)
            let line = log.lines.first { $0.contains("Redis answered the booking of calls") } ?? ""
            #expect(line.contains("user=user_def") && line.contains("usage:{user_def} holds"), "\(line)")
            let outage = try await scene.gateways.overview()["outage"]
            #expect(outage == ["waiting": 1, "booked": 3, "forgotten": 0])
            // So that the shutdown has nothing to wait for.
            await scene.gateways.kill(0)
        }
    }

    @Test func whatAWorkerForgetsIsSaid() async throws {
        let log = KeptLog()
        try await Self.run(log: log) { scene in
            try await scene.killRedis()
            #expect(try await scene.passes(of: 3) == 3)
            await scene.gateways.kill(0)
            let line =
                log.lines.first { $0.hasPrefix("warning the worker ends, and with it the memory of calls") } ?? ""
            #expect(line.contains("calls=3"), "\(log.lines)")
        }
    }

    @Test func aShutdownWaitsUntilEverythingIsBooked() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let file = RouteFile.text(RouteFile.route("/open", to: upstream.port, "onRedisDown: open"))
        try await withFleet(plans: file, redisArguments: Self.durable) { fleet in
            let (worker, bearer) = (fleet.workers[0], try fleet.bearer())
            let before = try await HTTP.get("/open", port: worker.port, headers: bearer)
            #expect(before.status == 200)
            await fleet.redis.kill()
            try await eventually("the worker has noticed") {
                try await HTTP.get("/metrics", port: worker.adminPort).body
                    .contains("tollgate_redis_connections_ready 0\n")
            }
            for _ in 1...3 {
                let answer = try await HTTP.get("/open", port: worker.port, headers: bearer)
                #expect(answer.status == 200 && answer.headers["x-tollgate-degraded"] != nil)
            }
            worker.process.signal(SIGTERM)
            try await eventually("the public port is closed") {
                (try? await HTTP.get("/open", port: worker.port)) == nil
            }
            #expect(worker.process.exitStatus == nil)
            try await fleet.redis.restart()
            let status = await worker.process.wait()
            #expect(status == .exited(0))
            try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                let used = try await redis.send("HGET usage:{user_abc} usageCount").string
                #expect(used == "4")
            }
        }
        try await upstream.close()
    }
}
