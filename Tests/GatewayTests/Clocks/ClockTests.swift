import Hiredis
import JSONValue
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

/// Real workers and a real redis-server on machines whose clocks differ, and are set while they run: all go by the time of
/// Redis.
///
/// One after the other: each has several processes, and what is tried are their first moments.
@Suite(
    .serialized, .enabled(if: ClockShim.isUsable, "only Linux preloads a library into any program"),
    .timeLimit(.minutes(6)))
struct ClockTests {
    private static let hour: Int64 = 3600
    private static let day: Int64 = 24 * hour
    private static let tenYears: Int64 = 3653 * day

    private static func authorization(_ token: String) -> [(String, String)] { [("Authorization", "Bearer \(token)")] }

    private static func plans(quota: Int, ratePerMinute: Int) -> String {
        "plans:\n  free: { quota: \(quota), ratePerMinute: \(ratePerMinute) }\n"
    }

    // MARK: The start

    @Test(arguments: [-90, 3 * day, tenYears])
    func aWorkerServesNoCallByTheClockOfItsMachine(ahead: Int64) async throws {
        try await withClockedFleet(workersAhead: [0]) { fleet in
            let key = try await fleet.madeKey(of: "user_key")
            let usedBefore = try await fleet.usedCalls(of: "user_key", on: "2025-11-28")
            // Made beforehand, for the worker's first moments count.
            let tokens = try (1...20).map { _ in try fleet.token("user_token") }
            let worker = try await fleet.start(aheadSeconds: ahead)
            async let byToken: Void = worker.admits(tokens: tokens)
            async let byKey: Void = worker.admits(Array(repeating: [("X-API-Key", key)], count: 20))
            _ = try await (byToken, byKey)
            try await fleet.expectRecord(of: "user_token", used: 20, on: "2025-11-28")
            try await fleet.expectRecord(of: "user_key", used: usedBefore + 20, on: "2025-11-28")
        }
    }

    @Test func nothingThatCostsIsServedBeforeTheTimeIsKnown() async throws {
        try await withClockedFleet(workersAhead: []) { fleet in
            // It takes connections, and answers nothing.
            fleet.redis.suspend()
            let worker = try await fleet.start(aheadSeconds: -90)
            for (method, path) in [("POST", "/verify-auth"), ("GET", "/usage"), ("GET", "/account"), ("GET", "/keys")] {
                let answer = try await HTTP.send(
                    method, path, port: worker.port, headers: Self.authorization(try fleet.token()))
                #expect(answer.status == 503 && answer.headers["retry-after"] != nil, "\(path): \(answer)")
            }
            #expect(try await HTTP.get("/readyz", port: worker.adminPort).status == 503)
            fleet.redis.resume()
            try await worker.admits(tokens: [try fleet.token()])
            try await worker.isReady()
            try await fleet.expectRecord(of: "user_abc", used: 1, on: "2025-11-28")
        }
    }

    /// The time is not known where Redis is away, and an open route is for that. No clock but Redis' refuses a token.
    @Test(arguments: [0, -90, day]) func anOpenRouteRefusesNobodyBeforeTheTimeIsKnown(ahead: Int64) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let file = RouteFile.text(
            RouteFile.route("/open", to: upstream.port, "onRedisDown: open"),
            RouteFile.route("/closed", to: upstream.port))
        try await withClockedFleet(file: file, workersAhead: []) { fleet in
            fleet.redis.suspend()
            let worker = try await fleet.start(aheadSeconds: ahead)
            let headers = Self.authorization(try fleet.token())
            let (open, closed) = (
                try await HTTP.get("/open", port: worker.port, headers: headers),
                try await HTTP.get("/closed", port: worker.port, headers: headers)
            )
            #expect(open.status == (ahead == 0 ? 200 : 503) && closed.status == 503, "\(open), \(closed)")
            #expect(open.headers[ahead == 0 ? "x-tollgate-degraded" : "retry-after"] != nil, "\(open)")
            fleet.redis.resume()
            try await eventually("the time is known") {
                let answer = try await HTTP.get("/open", port: worker.port, headers: headers)
                try #require(answer.status == 200 || answer.status == 503, "\(answer)")
                return answer.status == 200 && answer.headers["x-tollgate-degraded"] == nil
            }
        }
        try await upstream.close()
    }

    // MARK: Months

    @Test func noCallOfASkewedWorkerDamagesTheRecord() async throws {
        let file = Self.plans(quota: 10, ratePerMinute: 1000)
        try await withClockedFleet(file: file, workersAhead: [0, Self.tenYears, -90]) { fleet in
            #expect(try await fleet.callsUntilQuota(of: "user_abc") == 10)
            let end = try #require(UnixTime(iso8601: "2025-12-01T00:00:00Z"))
            for worker in fleet.workers {
                let refusal = try await HTTP.verify(try fleet.token(), port: worker.port)
                let seconds = try #require(refusal.headers["retry-after"].flatMap { Int64($0) })
                #expect(abs(seconds - (end.seconds - fleet.redisClock.now().seconds)) <= 2)
            }
            try await fleet.expectRecord(of: "user_abc", used: 10, on: "2025-11-28")
        }
    }

    /// As versions have left it that let a clock decide.
    @Test func aPeriodThatLiesAheadIsCountedInNoLonger() async throws {
        let file = Self.plans(quota: 10, ratePerMinute: 1000)
        try await withClockedFleet(file: file, workersAhead: [0, Self.hour]) { fleet in
            _ = try await fleet.ask(
                "HSET usage:{user_abc} usageCount 3 plan free periodStart 2035-11-01 periodEnd 2035-11-30 "
                    + "lastUpdated 2035-11-28T12:00:00Z")
            #expect(try await fleet.callsUntilQuota(of: "user_abc") == 7)
            let record = try await fleet.fields("usage:{user_abc}")
            #expect(record["periodStart"] == "2025-11-01" && record["periodEnd"] == "2025-11-30", "\(record)")
            #expect(record["usageCount"] == "10" && fleet.isOfRedis(record["lastUpdated"]), "\(record)")
        }
    }

    @Test func aRedisThatLeadsIntoAnotherMonthAndBackMakesNoSecondQuotaAndLosesNoCount() async throws {
        let file = Self.plans(quota: 10, ratePerMinute: 1000)
        try await withClockedFleet(file: file, workersAhead: [0, Self.hour]) { fleet in
            try await fleet.call("user_exhausted", times: 10)
            try await fleet.call("user_some", times: 4)

            try await Self.step(fleet, by: 3 * Self.day)
            #expect(try await fleet.callsUntilQuota(of: "user_exhausted") == 10, "it is December for all")
            try await fleet.call("user_some", times: 3)
            try await fleet.call("user_new", times: 2)
            try await Self.expectMonths(of: "user_some", fleet, now: ("2025-12-01", 3), before: ("2025-11-01", 4))

            try await Self.step(fleet, by: -3 * Self.day)
            #expect(try await fleet.callsUntilQuota(of: "user_exhausted") == 0, "November is used up")
            #expect(try await fleet.callsUntilQuota(of: "user_some") == 6, "4 were used in November")
            #expect(try await fleet.callsUntilQuota(of: "user_new") == 8, "2 were used, whatever the month was called")
            try await Self.expectMonths(of: "user_some", fleet, now: ("2025-11-01", 10), before: ("2025-12-01", 3))

            try await Self.step(fleet, by: 3 * Self.day)
            #expect(try await fleet.callsUntilQuota(of: "user_exhausted") == 0, "December is used up as well")
            #expect(try await fleet.callsUntilQuota(of: "user_some") == 7, "3 were used in December")
            try await Self.expectMonths(of: "user_some", fleet, now: ("2025-12-01", 10), before: ("2025-11-01", 10))
            for day in ["2025-11-28", "2025-12-01"] {
                #expect(try await fleet.usedCalls(of: "user_some", on: day) == 10)
            }
        }
    }

    /// Sets Redis' clock. Each worker is told with the first call of a user in a minute.
    private static func step(_ fleet: ClockedFleet, by seconds: Int64) async throws {
        fleet.redisClock.step(bySeconds: seconds)
        let start = fleet.redisClock.now()
        for worker in fleet.workers {
            let user = "user_\(UInt32.random(in: 0...UInt32.max))"
            let answer = try await HTTP.verify(try fleet.longToken(user), port: worker.port)
            try #require(answer.status == 200, "\(answer.body)")
            try await fleet.expectRecord(of: user, used: 1, since: start, on: String(start.iso8601.prefix(10)))
        }
    }

    /// What is on record of `user` in the month that is counted in, and in the one that was counted in before.
    private static func expectMonths(
        of user: String, _ fleet: ClockedFleet, now: (start: String, used: Int), before: (start: String, used: Int)
    ) async throws {
        let record = try await fleet.fields("usage:{\(user)}")
        #expect(record["periodStart"] == now.start && record["usageCount"] == "\(now.used)", "\(record)")
        #expect(record["previousPeriodStart"] == before.start, "\(record)")
        #expect(record["previousUsageCount"] == "\(before.used)", "\(record)")
    }

    // MARK: Minutes

    @Test func workersWhoseClocksDifferShareTheMinute() async throws {
        let file = Self.plans(quota: 1000, ratePerMinute: 100)
        try await withClockedFleet(file: file, workersAhead: [0, Self.hour]) { fleet in
            let token = try fleet.longToken()
            let statuses = try await withThrowingTaskGroup(of: [Int].self) { group in
                for worker in fleet.workers {
                    for _ in 1...3 {
                        group.addTask {
                            var statuses: [Int] = []
                            for _ in 1...30 {
                                statuses.append(try await HTTP.verify(token, port: worker.port).status)
                            }
                            return statuses
                        }
                    }
                }
                fleet.workers[1].clock.step(bySeconds: Self.hour)
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let minute = fleet.began.seconds / 60
            try #require(fleet.redisClock.now().seconds / 60 == minute, "the calls took longer than the minute")
            #expect(statuses.count { $0 == 200 } == 100)
            #expect(statuses.count { $0 == 429 } == 80)
            let counters = try await fleet.names("ratelimit:*")
            #expect(counters == ["ratelimit:{user_abc}:\(minute)"])
        }
    }

    @Test func aStepOfAWorkersClockChangesNothing() async throws {
        try await withClockedFleet(workersAhead: [0]) { fleet in
            let worker = fleet.workers[0]
            for ahead in [Self.hour, -Self.hour, Self.tenYears, -90, 0] {
                worker.clock.set(aheadSeconds: ahead, of: fleet.redisClock)
                for _ in 1...5 {
                    let answer = try await HTTP.verify(try fleet.token(), port: worker.port)
                    #expect(answer.status == 200, "\(ahead) s ahead: \(answer.body)")
                }
            }
            try await fleet.expectRecord(of: "user_abc", used: 25, on: "2025-11-28")
        }
    }

    @Test(arguments: [26 * hour, -2 * hour])
    func aRedisWithAnotherClockIsFollowedWithTheReconnect(ahead: Int64) async throws {
        try await withClockedFleet(workersAhead: [0]) { fleet in
            let worker = fleet.workers[0]
            let token = try fleet.longToken()
            #expect(try await HTTP.verify(token, port: worker.port).status == 200)
            await fleet.redis.kill()
            #expect(try await HTTP.verify(token, port: worker.port).status == 503)
            fleet.redisClock.step(bySeconds: ahead)
            let start = fleet.redisClock.now()
            // Another one in the same place: it has none of the first one's data.
            try await fleet.redis.restart()
            try await worker.admits(tokens: Array(repeating: token, count: 10))
            // By the clock that was left it is not valid yet, or has expired.
            try await worker.admits(tokens: [try fleet.token()])
            try await fleet.expectRecord(
                of: "user_abc", used: 11, since: start, on: String(start.iso8601.prefix(10)))
        }
    }

    // MARK: Keys

    @Test func aKeyEndsWhenItsTimeHasComeForRedis() async throws {
        try await withClockedFleet(workersAhead: [0, Self.hour]) { fleet in
            let end = fleet.began.adding(seconds: Self.hour)
            let key = try await fleet.madeKey(#"{"name":"CI","expiresAt":"\#(end.iso8601)"}"#, of: "user_abc")
            func statuses() async throws -> [Int] {
                var statuses: [Int] = []
                for worker in fleet.workers {
                    let answer = try await HTTP.send(
                        "POST", "/verify-auth", port: worker.port, headers: [("X-API-Key", key)])
                    statuses.append(answer.status)
                }
                return statuses
            }
            #expect(try await statuses() == [200, 200])
            try await Self.step(fleet, by: 2 * Self.hour)
            #expect(try await statuses() == [401, 401])
            // No worker is told.
            fleet.redisClock.step(bySeconds: -2 * Self.hour)
            #expect(try await statuses() == [200, 200])
        }
    }

    // MARK: Reservations

    @Test func aWorkerThatIsAheadGivesBackNoCallThatIsInProgressElsewhere() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success, cost: 2"))
        try await withClockedFleet(file: file, workersAhead: [0, 0]) { fleet in
            // No worker is told that Redis' clock was set back.
            try await Self.step(fleet, by: 2 * Self.hour)
            fleet.redisClock.step(bySeconds: -2 * Self.hour)

            let token = try fleet.longToken()
            let client = try await RawClient.connect(port: fleet.workers[0].port)
            try await client.send(Wire.get("/api", fields: "Authorization: Bearer \(token)\r\n"))
            try await upstream.waits(for: "\r\n\r\n")
            let during = try await fleet.fields("usage:{user_abc}")
            #expect(during["usageCount"] == "2" && during["reservedUntil"] != nil, "\(during)")

            let late = try await fleet.start(aheadSeconds: Self.hour)
            for worker in [late, fleet.workers[1]] {
                try await worker.admits(tokens: Array(repeating: token, count: 5))
                worker.clock.step(bySeconds: Self.hour)
                try await worker.admits(tokens: Array(repeating: token, count: 5))
                #expect(try await fleet.ask("ZCARD reservations:{user_abc}").integer == 1)
            }

            try await upstream.say(Wire.answer("done"))
            try await client.waits(for: "done")
            #expect(client.text.hasPrefix("HTTP/1.1 200 "), "\(client.text)")
            try await eventually("the call is settled") {
                try await fleet.ask("EXISTS reservations:{user_abc}").integer == 0
            }
            try await fleet.expectRecord(of: "user_abc", used: 22, on: "2025-11-28")
            for worker in fleet.workers {
                let reservations = try await worker.overview()["reservations"]
                #expect(reservations == ["waiting": 0, "lost": 0, "unsettled": 0])
            }
            try await client.close()
        }
        try await upstream.close()
    }

    // MARK: What is told

    @Test func aClockThatDiffersIsToldByMetricOverviewAndOneLine() async throws {
        try await withClockedFleet(workersAhead: [Self.hour]) { fleet in
            let worker = fleet.workers[0]
            func isToldToBe(_ seconds: Double) async throws -> Bool {
                let (metric, overview) = (try await worker.aheadSeconds(), try await worker.overview())
                let told =
                    switch overview["clockAheadSeconds"] {
                    case .decimal(let number): number
                    case .integer(let number): Double(number)
                    default: Double.nan
                    }
                return metric.map { abs($0 - seconds) < 1 } == true && abs(told - seconds) < 1
            }
            #expect(try await isToldToBe(3600))
            func warnings() -> [String] { worker.lines.filter { $0.contains("the clock of this machine differs") } }
            try await eventually("it is in the log") { !warnings().isEmpty }

            // It is looked at again whenever it was set, and still wrong.
            for ahead in [2 * Self.hour, -Self.hour, Self.day] {
                let asked = try await fleet.timesAsked()
                worker.clock.set(aheadSeconds: ahead, of: fleet.redisClock)
                #expect(try await isToldToBe(Double(ahead)))
                try await eventually("the worker asks for the time") { try await fleet.timesAsked() > asked }
            }
            worker.clock.set(aheadSeconds: 0, of: fleet.redisClock)
            try await eventually("the log says that the clock is right") {
                worker.lines.contains { $0.contains("agrees with that of Redis again") }
            }
            #expect(try await isToldToBe(0))
            #expect(warnings().count == 1, "\(worker.lines)")
            let words = warnings().first?.split(separator: " ") ?? []
            let seconds = words.first { $0.hasPrefix("seconds-ahead=") }?.split(separator: "=").last
            #expect(seconds.flatMap { Double($0) }.map { abs($0 - 3600) < 1 } == true, "\(warnings())")
        }
    }

    @Test func whatAWorkerSaysIsDatedByRedis() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("no date"))])
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        try await withClockedFleet(file: file, workersAhead: [Self.hour]) { fleet in
            let worker = fleet.workers[0]
            let publicCalls = [
                ("POST", "/verify-auth"), ("GET", "/authorize"), ("GET", "/api"), ("GET", "/nothing"),
                ("GET", "/health"), ("HEAD", "/health"), ("GET", "/account"), ("GET", "/usage"), ("GET", "/keys"),
                ("PUT", "/keys"), ("OPTIONS", "/keys"), ("POST", "/keys"), ("GET", "/dashboard"),
            ]
            for (method, path) in publicCalls {
                try await Self.expectDate(method, path, port: worker.port, fleet)
            }
            let adminPaths = [
                "/livez", "/readyz", "/metrics", "/overview.json", "/overview", "/explain/user_abc", "/nothing",
            ]
            for path in adminPaths {
                try await Self.expectDate("GET", path, port: worker.adminPort, fleet)
            }

            #expect(fleet.isOfRedis(try await worker.overview()["time"].string))
            // It may have reported itself before it knew the time, and does so again.
            try await eventually("the worker's start is told by Redis' clock") {
                guard let told = try await worker.overview()["workers"].elements?.first else { return false }
                return fleet.isOfRedis(told["startedAt"].string) && fleet.isOfRedis(told["seenAt"].string)
            }

            func line(with part: String) async throws -> String {
                try await eventually("'\(part)' is in the log") { worker.lines.contains { $0.contains(part) } }
                return try #require(worker.lines.first { $0.contains(part) })
            }
            var lines = [try await line(with: "the clock of this machine differs")]
            worker.process.signal(SIGTERM)
            for part in ["draining", "stopped"] { lines.append(try await line(with: part)) }
            for line in lines { #expect(fleet.isOfRedis(String(line.prefix { $0 != " " })), "\(line)") }
        }
        try await upstream.close()
    }

    private static func expectDate(_ method: String, _ path: String, port: Int, _ fleet: ClockedFleet) async throws {
        let before = fleet.redisClock.now().seconds
        let answer = try await HTTP.send(
            method, path, port: port, headers: authorization(try fleet.longToken()))
        let after = fleet.redisClock.now().seconds
        var date = HTTPDate()
        // The worker's half a round trip.
        let dates = (before - 1...after + 1).map { date.text(at: UnixTime(seconds: $0)) }
        let said = answer.headers["date"]
        #expect(said.map(dates.contains) == true, "\(method) \(path): \(said ?? "nothing"), not \(dates)")
    }
}
