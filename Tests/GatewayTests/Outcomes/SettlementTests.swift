import Hiredis
import JSONValue
import Logging
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// `charge: success`: whatever becomes of Redis or of the worker, a call that succeeded is paid once, and one that
/// failed is given back once.
@Suite(.timeLimit(.minutes(6))) struct SettlementTests {
    /// Redis keeps what it has when it is killed.
    private static let durable = ["--appendonly", "yes", "--appendfsync", "always"]

    /// Of a route with the timeouts that all have: two tries of 2 s to connect and 30 s to answer, 60 s without a byte,
    /// and 30 s more.
    private static let leaseSeconds: Int64 = 154

    // MARK: Calls that outlast their lease

    enum LongCall: CaseIterable, Sendable { case stream, slowReader, slowUpload }

    @Test(arguments: LongCall.allCases) func whatOutlastsItsLeaseIsPaid(call: LongCall) async throws {
        let upstream = try await ManualUpstream()
        let route = "charge: success, cost: 2, limits: {bodyRate: 0}"
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, route))
        try await withObservedGateways(yaml: file) { gateways in
            try await Self.useTen(gateways)
            let finish = try await Self.begin(call, gateways, upstream)
            try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                let firstEnd = try await Self.leaseEnd(redis)
                for round in 1...2 {
                    let end = try await Self.leaseEnd(redis)
                    gateways.time.advance(seconds: Self.leaseSeconds / 2 + 10)
                    try await eventually("its lease is renewed") { try await Self.leaseEnd(redis) > end }
                    let used = try await gateways.usedCalls()
                    #expect(used == 12, "round \(round)")
                }
                let now = try #require(Int(gateways.time.now().iso8601.filter(\.isNumber)))
                #expect(firstEnd < now, "the lease that it began with is over")
                #expect(try await gateways.verify("user_abc") == 200)
                try await finish()
                try await Self.nothingIsReserved(redis)
            }
            gateways.time.advance(seconds: 1000)
            let used = try await gateways.usedCalls()
            #expect(used == 13)
            try await Self.says(gateways)
        }
        try await upstream.close()
    }

    /// Has a call under way that stays so until what is returned is called.
    private static func begin(
        _ call: LongCall, _ gateways: ObservedGateways, _ upstream: ManualUpstream
    ) async throws -> () async throws -> Void {
        if call == .slowReader { return try await beginWithoutReading(gateways, upstream) }
        let client = try await RawClient.connect(port: gateways.port())
        if call == .stream {
            try await client.send(Wire.get("/api", fields: field(gateways)))
            try await upstream.waits(for: "\r\n\r\n")
            try await upstream.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Wire.chunk("one "))
            try await client.waits(for: "one ")
            return {
                try await upstream.say(Wire.chunk("two") + "0\r\n\r\n")
                try await client.waits(for: "two")
            }
        }
        try await client.send(
            "POST /api HTTP/1.1\r\nHost: api.example\r\n\(try field(gateways))Content-Length: 9\r\n\r\nhalf ")
        try await upstream.waits(for: "half ")
        return {
            try await client.send("body")
            try await upstream.waits(for: "half body")
            try await upstream.say(Wire.answer("done"))
            try await client.waits(for: "done")
        }
    }

    /// More than any buffers between the upstream and its client hold.
    private static func beginWithoutReading(
        _ gateways: ObservedGateways, _ upstream: ManualUpstream
    ) async throws -> () async throws -> Void {
        let count = 48 << 20
        let client = try await BulkClient(
            port: gateways.port(), path: "/api", bytes: 0, headers: [gateways.bearer("user_abc")], reads: false)
        try await upstream.waits(for: "\r\n\r\n")
        let said = Task {
            try await upstream.say("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n")
            try await upstream.say([UInt8](repeating: 120, count: count))
        }
        return {
            try await client.startReading()
            try await eventually("the answer is read", within: .seconds(60)) { client.received == count }
            try await said.value
        }
    }

    // MARK: Redis is away

    enum Outage: CaseIterable, Sendable { case suspended, killed, answersLost }

    @Test(arguments: Outage.allCases) func redisIsToldUntilItHasHeard(outage: Outage) async throws {
        let relay = try await LossyRelay()
        try await Self.withTwoCalls(through: relay) { gateways, calls in
            switch outage {
            case .suspended: gateways.redis.suspend()
            case .killed: await gateways.redis.kill()
            case .answersLost: relay.loseAnswers()
            }
            try await calls.end()
            try await Self.says(gateways, waiting: 2)
            let metrics = try await gateways.get("/metrics").body
            #expect(metrics.contains("tollgate_reservations_waiting 2\n"))
            switch outage {
            case .suspended: gateways.redis.resume()
            case .killed: try await gateways.redis.restart()
            case .answersLost:
                // It has done what it was told, and the worker does not know.
                try await withRedisClient(gateways.redis.patientConfiguration) { try await Self.nothingIsReserved($0) }
                relay.passAnswers()
            }
            try await Self.says(gateways)
            let used = try await gateways.usedCalls()
            #expect(used == 12, "one call is paid, the other given back")
            gateways.time.advance(seconds: 1000)
            let later = try await gateways.usedCalls()
            #expect(later == 12, "once")
            try await withRedisClient(gateways.redis.patientConfiguration) { try await Self.nothingIsReserved($0) }
        }
        try await relay.close()
    }

    @Test func whatCannotBeToldInTimeGoesBack() async throws {
        let (relay, log) = (try await LossyRelay(), KeptLog())
        try await Self.withTwoCalls(through: relay, logger: log.logger) { gateways, calls in
            await gateways.redis.kill()
            try await calls.end()
            try await Self.says(gateways, waiting: 2)
            gateways.time.advance(seconds: Self.leaseSeconds)
            try await Self.says(gateways, unsettled: 2)
            let metrics = try await gateways.get("/metrics").body
            #expect(metrics.contains("tollgate_reservations_unsettled_total 2\n"))
            let lines = log.lines.filter { $0.hasPrefix("warning Redis could not be told how a call has ended") }
            #expect(lines.count == 2 && lines.allSatisfy { $0.contains("user=user_abc") }, "\(lines)")
            try await gateways.redis.restart()
            try await eventually("Redis is there again") { try await gateways.get("/readyz").status == 200 }
            for count in 11...12 {
                #expect(try await gateways.verify("user_abc") == 200)
                let used = try await gateways.usedCalls()
                #expect(used == count, "given back with the next call, and only then")
            }
        }
        try await relay.close()
    }

    @Test func whatRedisHasLostIsCountedAndSaid() async throws {
        let (relay, log) = (try await LossyRelay(), KeptLog())
        try await Self.withTwoCalls(through: relay, logger: log.logger) { gateways, calls in
            try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                let deleted = try await redis.send("DEL reservations:{user_abc}").integer
                #expect(deleted == 1)
            }
            try await calls.end()
            try await Self.says(gateways, lost: 2)
            let used = try await gateways.usedCalls()
            #expect(used == 15, "calls of an unknown outcome stay charged")
            let metrics = try await gateways.get("/metrics").body
            #expect(metrics.contains("tollgate_reservations_lost_total 2\n"))
            #expect(metrics.contains("tollgate_reservations_unsettled_total 0\n"))
            let lines = log.lines.filter { $0.hasPrefix("warning Redis does not know the reservation") }.sorted()
            #expect(lines.count == 2, "\(lines)")
            #expect(lines.first?.contains("calls=2 user=user_abc") == true)
            #expect(lines.last?.contains("calls=3 user=user_abc") == true)
        }
        try await relay.close()
    }

    @Test func errorsThatRedisAnswersAnEndWithAreCountedAndSaid() async throws {
        let (relay, log) = (try await LossyRelay(), KeptLog())
        try await Self.withTwoCalls(through: relay, logger: log.logger) { gateways, calls in
            try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                try await redis.send("RENAME reservations:{user_abc} kept")
                try await redis.send("SET reservations:{user_abc} text")
                try await calls.end()
                try await eventually("the error is counted") {
                    try await gateways.get("/metrics").body.contains(
                        "tollgate_store_errors_total{code=\"WRONGTYPE\"} ")
                        && !log.lines.filter { $0.contains("Redis answered the end of a call with an error") }.isEmpty
                }
                let line = log.lines.first { $0.contains("Redis answered the end of a call with an error") } ?? ""
                #expect(line.contains("WRONGTYPE") && line.contains("reservations:{user_abc}"), "\(line)")
                try await redis.send("RENAME kept reservations:{user_abc}")
                try await eventually("what is right again is told again") {
                    try await redis.send("EXISTS reservations:{user_abc}").integer == 0
                }
            }
        }
        try await relay.close()
    }

    // MARK: The worker ends

    @Test func aShutdownWaitsUntilRedisHasHeard() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success, cost: 2"))
        try await withFleet(plans: file, redisArguments: Self.durable) { fleet in
            let worker = fleet.workers[0]
            try await Self.endCall(of: worker, in: fleet, upstream)
            // So long Redis is away.
            try await Task.sleep(for: .seconds(2))
            #expect(worker.process.exitStatus == nil)
            try await fleet.redis.restart()
            let (status, duration) = await timed { await worker.process.wait() }
            #expect(status == .exited(0))
            #expect(duration < .seconds(10))
            try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                let reserved = try await redis.send("ZCARD reservations:{user_abc}").integer
                let used = try await redis.send("HGET usage:{user_abc} usageCount").string
                #expect(reserved == 0 && used == "2")
            }
        }
        try await upstream.close()
    }

    /// It takes as long as the limit, which is half a minute.
    @Test func aShutdownEndsThoughRedisStaysAway() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success, cost: 2"))
        try await withFleet(plans: file, redisArguments: Self.durable) { fleet in
            let worker = fleet.workers[0]
            let (_, duration) = try await timed {
                try await Self.endCall(of: worker, in: fleet, upstream)
                let status = await worker.process.wait()
                #expect(status == .exited(0))
            }
            #expect(duration < .seconds(Gateway.maximumShutdownSeconds + 5), "a limit and a busy machine")
            try await fleet.redis.restart()
            try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                let reserved = try await redis.send("ZCARD reservations:{user_abc}").integer
                #expect(reserved == 1, "its lease runs out")
            }
        }
        try await upstream.close()
    }

    /// A call of a worker that is told to end, whose client has its answer while Redis is away.
    private static func endCall(of worker: Worker, in fleet: Fleet, _ upstream: ManualUpstream) async throws {
        try await worker.becomesReady()
        let client = try await RawClient.connect(port: worker.port)
        try await client.send(Wire.get("/api", fields: "Authorization: \(try fleet.bearer()[0].1)\r\n"))
        try await upstream.waits(for: "\r\n\r\n")
        await fleet.redis.kill()
        worker.process.signal(SIGTERM)
        try await upstream.say(Wire.answer("done"))
        try await client.waits(for: "done")
        try await eventually("the worker has hung up") { client.isClosed }
    }

    @Test func aShutdownWaitsNoLongerThanTheLease() async throws {
        let relay = try await LossyRelay()
        try await Self.withTwoCalls(through: relay) { gateways, calls in
            await gateways.redis.kill()
            let end = ShutdownEnd()
            let stopping = Task {
                await gateways.stop(0)
                end.reached()
            }
            try await calls.end()
            try await eventually("only the reservations are left") { (try? await gateways.get("/livez")) == nil }
            #expect(!end.isReached)
            gateways.time.advance(seconds: Self.leaseSeconds)
            try await eventually("it has ended") { end.isReached }
            await stopping.value
        }
        try await relay.close()
    }

    private final class ShutdownEnd: Sendable {
        private let flag = Atomic<Bool>(false)

        var isReached: Bool { flag.load(ordering: .acquiring) }

        func reached() { flag.store(true, ordering: .releasing) }
    }

    /// The clients have their answers, and nothing is left to say so but the leases.
    @Test func whatAWorkerCouldNotTellBeforeItDiedGoesBackOnce() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success, cost: 2"))
        try await withFleet(workers: 2, plans: file, redisArguments: Self.durable) { fleet in
            let (worker, other, bearer) = (fleet.workers[0], fleet.workers[1], try fleet.bearer())
            try await eventually("Redis is there") {
                try await HTTP.get("/readyz", port: other.adminPort).status == 200
            }
            for _ in 1...10 {
                let answer = try await HTTP.send("POST", "/verify-auth", port: other.port, headers: bearer)
                #expect(answer.status == 200)
            }
            var clients: [RawClient] = []
            for _ in 1...3 {
                let client = try await RawClient.connect(port: worker.port)
                try await client.send(Wire.get("/api", fields: "Authorization: \(bearer[0].1)\r\n"))
                clients.append(client)
            }
            try await upstream.waits(for: "\r\n\r\n", times: 3)
            await fleet.redis.kill()
            try await upstream.sayToAll(Wire.answer("done"))
            for client in clients { try await client.waits(for: "done") }
            worker.process.signal(SIGKILL)
            let status = await worker.process.wait()
            #expect(status == .signalled(SIGKILL))
            try await fleet.redis.restart()
            try await eventually("Redis is there again") {
                try await HTTP.get("/readyz", port: other.adminPort).status == 200
            }
            let before = try await fleet.usedCalls(on: 1)
            #expect(before == 16, "the leases have not run out")
            try await fleet.redis.endLeases(count: 3)
            for count in 11...12 {
                let answer = try await HTTP.send("POST", "/verify-auth", port: other.port, headers: bearer)
                #expect(answer.usedCalls == count, "given back with the next call, and only then")
            }
        }
        try await upstream.close()
    }

    // MARK: Repeats

    @Test func noKeyMakesCallsFree() async throws {
        let good = try await ScriptedUpstream.answering([.say(Wire.answer("done"))])
        let bad = try await ScriptedUpstream.answering([.say(Wire.answer("", status: "500 Internal Server Error"))])
        let file = RouteFile.text(
            plans: "plans:\n  free: { quota: 25, ratePerMinute: 1000 }\n",
            RouteFile.route("/paid", to: good.port, "charge: success"),
            RouteFile.route("/replayed", to: good.port, "charge: success, idempotency: replay"),
            RouteFile.route("/failing", to: bad.port, "charge: success"))
        try await withObservedGateways(yaml: file) { gateways in
            try await withRedisClient(gateways.redis.patientConfiguration) { redis in
                let expected = [("paid", 200, 20), ("replayed", 200, 1), ("failing", 500, 0)]
                for (name, status, used) in expected {
                    for _ in 1...20 { try await Self.repeats(name, gateways, redis, status: status) }
                    try await Self.hasUsed(used, of: name, gateways)
                }
                // What was settled wrongly would come back now.
                gateways.time.advance(seconds: 1000)
                for (name, _, used) in expected { try await Self.hasUsed(used, of: name, gateways) }
                for _ in 21...25 { try await Self.repeats("paid", gateways, redis, status: 200) }
                for _ in 26...30 { try await Self.repeats("paid", gateways, redis, status: 403) }
                gateways.time.advance(seconds: 1000)
                try await Self.repeats("paid", gateways, redis, status: 403)
                try await Self.hasUsed(25, of: "paid", gateways)
            }
            try await Self.says(gateways)
        }
        try await good.close()
        try await bad.close()
    }

    /// A call of `user_<name>` on `/<name>`, the same each time. Returns when it is settled.
    private static func repeats(
        _ name: String, _ gateways: ObservedGateways, _ redis: RedisClient, status: Int
    ) async throws {
        let user = "user_\(name)"
        let answer = try await gateways.send("GET", "/\(name)", as: user, headers: [("Idempotency-Key", "k")])
        #expect(answer.status == status, "\(name)")
        try await eventually("it is settled") {
            try await redis.send("HGET idempotency:{\(user)}:{k} state").string != "open"
        }
        try await nothingIsReserved(redis, of: user)
    }

    private static func hasUsed(_ used: Int, of name: String, _ gateways: ObservedGateways) async throws {
        let count = try await gateways.usedCalls(of: "user_\(name)")
        #expect(count == used, "\(name)")
    }

    // MARK: Parts

    /// Two calls under way: one that is to be paid, of 2, and one that is to fail, of 3.
    private struct TwoCalls {
        let clients: [RawClient]
        let kept: ManualUpstream
        let failing: ManualUpstream

        /// Both are answered, and their clients have the answers.
        func end() async throws {
            try await kept.say(Wire.answer("done"))
            try await failing.say(Wire.answer("", status: "500 Internal Server Error"))
            try await clients[0].waits(for: "done")
            try await clients[1].waits(for: "HTTP/1.1 500")
        }
    }

    /// Runs `body` on a gateway whose user has used 10 calls before the two.
    private static func withTwoCalls(
        through relay: LossyRelay, logger: Logger = .silent,
        _ body: (ObservedGateways, TwoCalls) async throws -> Void
    ) async throws {
        let (kept, failing) = (try await ManualUpstream(), try await ManualUpstream())
        let file = RouteFile.text(
            RouteFile.route("/kept", to: kept.port, "charge: success, cost: 2"),
            RouteFile.route("/failing", to: failing.port, "charge: success, cost: 3"))
        try await withObservedGateways(
            yaml: file, redisArguments: durable,
            redisURL: { redis in
                relay.lead(to: redis.port)
                return "redis://127.0.0.1:\(relay.port)"
            }, logger: logger
        ) { gateways in
            try await useTen(gateways)
            // One that is over, so that Redis knows the script: else it would answer that, and do nothing yet.
            let first = try await beginOne("/failing", gateways, failing)
            try await failing.say(Wire.answer("", status: "500 Internal Server Error"))
            try await first.waits(for: "HTTP/1.1 500")
            try await withRedisClient(gateways.redis.patientConfiguration) { try await nothingIsReserved($0) }
            let clients = [
                try await beginOne("/kept", gateways, kept), try await beginOne("/failing", gateways, failing),
            ]
            let used = try await gateways.usedCalls()
            #expect(used == 15)
            try await body(gateways, TwoCalls(clients: clients, kept: kept, failing: failing))
        }
        try await kept.close()
        try await failing.close()
    }

    /// A call that has come to the upstream.
    private static func beginOne(
        _ path: String, _ gateways: ObservedGateways, _ upstream: ManualUpstream
    ) async throws -> RawClient {
        let client = try await RawClient.connect(port: gateways.port())
        let before = upstream.text.ranges(of: "\r\n\r\n").count
        try await client.send(Wire.get(path, fields: field(gateways)))
        try await upstream.waits(for: "\r\n\r\n", times: before + 1)
        return client
    }

    /// So that a call that is given back twice would show.
    private static func useTen(_ gateways: ObservedGateways) async throws {
        for _ in 1...10 { #expect(try await gateways.verify("user_abc") == 200) }
    }

    private static func field(_ gateways: ObservedGateways) throws -> String {
        let (name, value) = try gateways.bearer("user_abc")
        return "\(name): \(value)\r\n"
    }

    /// When the user's first lease ends, as a number: YYYYMMDDhhmmss.
    private static func leaseEnd(_ redis: RedisClient) async throws -> Int {
        let first = try await redis.send("ZRANGE reservations:{user_abc} 0 0 WITHSCORES").array
        return try #require(first?.last?.string.flatMap { Int($0) }, "nothing is reserved")
    }

    private static func nothingIsReserved(_ redis: RedisClient, of user: String = "user_abc") async throws {
        try await eventually("nothing is reserved") {
            try await redis.send("EXISTS reservations:{\(user)}").integer == 0
        }
    }

    /// Waits until the worker says so of its reservations.
    private static func says(
        _ gateways: ObservedGateways, waiting: Int64 = 0, lost: Int64 = 0, unsettled: Int64 = 0
    ) async throws {
        let expected: JSON = [
            "waiting": .integer(waiting), "lost": .integer(lost), "unsettled": .integer(unsettled),
        ]
        var said = JSON.null
        do {
            try await eventually("what is said of reservations") {
                said = try await gateways.overview()["reservations"]
                return said == expected
            }
        } catch {
            throw NeverHappened(description: "of reservations is said \(said.text) and not \(expected.text)")
        }
    }
}
