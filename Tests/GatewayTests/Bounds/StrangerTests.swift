import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// What requests of unknown callers can make grow: nothing in Redis, nothing in the metrics, and no more than
/// so many lines in the log.
@Suite struct StrangerTests {
    private static let rounds = 1000

    /// A worker that sells plans, and that believes its client's address of the proxy before it.
    private static func settings() -> [String: String] {
        Market.settings(stripeURL: "http://127.0.0.1:1", clerkURL: "http://127.0.0.1:1")
            .merging(["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1"]) { $1 }
    }

    /// One of each kind of request, none of which is let in. Each round comes from another address and names another
    /// user, path and id.
    private static func strangeRequests(_ fleet: Fleet, round: Int) async throws {
        let port = fleet.workers[0].port
        let base = [("X-Forwarded-For", "203.0.\(round / 250).\(round % 250 + 1)"), ("X-Request-Id", "trace-\(round)")]
        func send(
            _ method: String, _ path: String, _ headers: [(String, String)] = [], body: String? = nil
        ) async throws -> Int {
            try await HTTP.send(method, path, port: port, headers: base + headers, body: body).status
        }
        let key = try KeyedGateways.inventedKey(of: "user_invented\(round)")
        let digits = String(round, radix: 16)
        let publishable = "pk_live_" + String(repeating: "0", count: 64 - digits.count) + digits
        let forged = try fleet.token("user_forged\(round)").dropLast(8) + "AAAAAAAA"
        #expect(try await send("POST", "/verify-auth", [("X-API-Key", key), ("Idempotency-Key", "k\(round)")]) == 401)
        // Too many of them are not looked at any more.
        let unknown = try await send("GET", "/get-credentials", [("X-API-Key", publishable)])
        #expect(unknown == 401 || unknown == 429)
        #expect(try await send("POST", "/keys", [("Authorization", "Bearer \(forged)")], body: #"{"name":"a"}"#) == 401)
        #expect(try await send("GET", "/nothing/\(round)?a=\(round)") == 404)
        let question = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/x/\(round)")]
        #expect(try await send("GET", "/authorize", question) == 401)
        let signature = [
            ("Stripe-Signature", "t=\(SystemClock().now().seconds),v1=\(String(repeating: "0", count: 64))")
        ]
        #expect(try await send("POST", "/webhook/stripe", signature, body: #"{"id":"evt_\#(round)"}"#) == 400)
    }

    private static func names(_ redis: RedisClient) async throws -> Set<String> {
        Set(try await redis.send("KEYS *").array?.compactMap(\.string).filter { !$0.hasPrefix("worker") } ?? [])
    }

    /// The names and labels of all series.
    private static func series(_ worker: Worker) async throws -> Set<String> {
        let lines = try await HTTP.get("/metrics", port: worker.adminPort).body.split(separator: "\n")
        return Set(lines.filter { !$0.hasPrefix("#") }.map { String($0.prefix { $0 != " " }) })
    }

    @Test func aThousandRoundsLeaveNothingBehind() async throws {
        try await withFleet(settings: Self.settings()) { fleet in
            let worker = fleet.workers[0]
            try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                try await Self.strangeRequests(fleet, round: 0)
                let series = try await Self.series(worker)
                for start in stride(from: 1, to: Self.rounds, by: 8) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for round in start..<min(start + 8, Self.rounds) {
                            group.addTask { try await Self.strangeRequests(fleet, round: round) }
                        }
                        try await group.waitForAll()
                    }
                }
                // A report of the worker has gone by, in which it would tell of its callers.
                try await eventually("the worker has told of itself again") {
                    let seen = try await redis.send("ZRANGE workers 0 -1 WITHSCORES").array?.last?.string
                    return (seen.flatMap { Int64($0) } ?? 0) > SystemClock().now().seconds - 2
                }
                #expect(try await Self.names(redis) == [])
                #expect(try await Self.series(worker) == series)
            }
            await worker.process.terminate()
            var lines: [String] = []
            for await line in worker.process.lines { lines.append(line) }
            #expect(lines.count < 2 * LogBudget.linesPerMinute * 3, "\(lines.count) lines")
            #expect(lines.contains { $0.contains("furtherLines=left out until the next minute") })
        }
    }

    /// Without Redis every request fails on our side, also with a good credential. Only its beginning is told.
    @Test func anOutageOfRedisIsOneLine() async throws {
        try await withFleet { fleet in
            let worker = fleet.workers[0]
            let key = try KeyedGateways.inventedKey()
            await fleet.redis.stop()
            for _ in 1...500 {
                let answer = try await HTTP.send(
                    "POST", "/verify-auth", port: worker.port, headers: [("X-API-Key", key)])
                #expect(answer.status == 503)
            }
            await worker.process.terminate()
            var lines: [String] = []
            for await line in worker.process.lines { lines.append(line) }
            #expect(lines.filter { $0.contains("redis unavailable") }.count == 1, "\(lines)")
            #expect(lines.filter { $0.contains(" warning ") || $0.contains(" error ") }.count <= 2, "\(lines)")
        }
    }

    /// A plan that no table has is the operator's mistake; that each call of a user tells of it would be another.
    @Test func aTokenOfAnUnknownPlanWritesSoManyLines() async throws {
        let plans = "plans:\n  free: { quota: 10000, ratePerMinute: 10000 }\n"
        try await withFleet(plans: plans) { fleet in
            let worker = fleet.workers[0]
            let token = try fleet.token("user_abc", plan: "gone")
            for _ in 1...300 {
                let answer = try await HTTP.verify(token, port: worker.port)
                #expect(answer.status == 200)
            }
            await worker.process.terminate()
            var warnings = 0
            for await line in worker.process.lines where line.contains("plan unknown") { warnings += 1 }
            #expect(warnings >= LogBudget.linesPerMinute && warnings <= 3 * LogBudget.linesPerMinute, "\(warnings)")
        }
    }
}
