import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

/// `GET /overview.json`.
@Suite struct OverviewTests {
    @Test func everythingIsTold() async throws {
        try await withObservedGateways(2, redisArguments: ["--appendonly", "yes"]) { gateways in
            for _ in 1...6 { try await gateways.verify("user_abc", on: 0) }
            for _ in 1...3 { try await gateways.verify("user_def", plan: "paid", on: 1) }
            _ = try await HTTP.verify("nonsense", port: gateways.port(0))
            try await eventually("all calls are told of") {
                let traffic = try await gateways.overview()["traffic"]
                return traffic["admitted"].integer == 8 && traffic["refused"].elements?.count == 2
            }
            let overview = try await gateways.overview(of: 1)
            #expect(
                overview.members?.map(\.name).sorted() == [
                    "clockAheadSeconds", "operator", "outage", "reconciliation", "redis", "reservations", "time",
                    "topUsers", "traffic", "unpriced", "webhooks", "worker", "workers",
                ])
            #expect(overview["time"].string == "2025-11-26T23:00:00Z")
            #expect(overview["operator"] == ["name": "admin-port", "role": "admin"])
            #expect(
                overview["traffic"]["refused"].elements == [
                    ["reason": "quota-exceeded", "count": 1], ["reason": "token-invalid", "count": 1],
                ])
            let users: JSON = [
                "day": "2025-11-26",
                "users": [["userId": "user_abc", "calls": 6], ["userId": "user_def", "calls": 3]],
            ]
            #expect(overview["topUsers"] == users)
            #expect(overview["webhooks"] == ["waiting": 0, "oldest": .null, "events": []])
            let redis = overview["redis"]
            #expect(redis["state"].string == "ok", "\(redis)")
            #expect(redis["server"]["role"].string == "master")
            #expect(redis["server"]["maxMemoryPolicy"].string == "noeviction")
            #expect(redis["server"]["appendOnlyFile"] == true)
            #expect(redis["warnings"] == [])
        }
    }

    @Test func requestsAreToldPerSecond() async throws {
        try await withObservedGateways(yaml: "plans: {free: {quota: 9000, ratePerMinute: 9000}}") { gateways in
            try await eventually("requests are seen to flow") {
                for _ in 1...20 { try await gateways.verify("user_abc") }
                return switch try await gateways.overview()["traffic"]["requestsPerSecond"] {
                case .decimal(let rate): rate > 1
                case .integer(let rate): rate > 1
                default: false
                }
            }
        }
    }

    @Test func theAnswerIsForWhoAskedOnly() async throws {
        try await withObservedGateways { gateways in
            for path in ["/overview.json", "/explain/user_nobody", "/explain/%00", "/nothing"] {
                let answer = try await gateways.get(path)
                #expect(answer.headers["cache-control"] == "no-store", "\(path)")
                #expect(answer.headers["x-content-type-options"] == "nosniff", "\(path)")
                #expect(answer.headers["referrer-policy"] == "no-referrer", "\(path)")
                #expect(answer.headers["content-type"] == "application/json", "\(path)")
                #expect(answer.headers["access-control-allow-origin"] == nil, "\(path)")
            }
        }
    }

    // MARK: Redis

    @Test(.tags(.measuresTime)) func withoutRedisAWorkerTellsWhatItKnowsItself() async throws {
        try await withObservedGateways(2) { gateways in
            try await eventually("both workers are seen") {
                try await gateways.addresses().count { !$0.isEmpty } == 2
            }
            await gateways.redis.stop()
            let (overview, duration) = try await timed { try await gateways.overview() }
            #expect(overview["redis"]["state"].string == "unavailable")
            #expect(overview["redis"]["reason"].string?.isEmpty == false)
            #expect(
                overview["workers"].elements?.compactMap { $0["address"].string } == [
                    "127.0.0.1:\(gateways.port(0))"
                ])
            #expect(overview["topUsers"] == .null)
            #expect(overview["webhooks"] == .null)
            #expect(duration < .seconds(1))
            let explanation = try await gateways.get("/explain/user_abc")
            #expect(explanation.status == 503)
            #expect(explanation.member("code") == "service-unavailable")
            try await gateways.redis.restart()
            try await eventually("all is seen again") { try await gateways.workers().count == 2 }
        }
    }

    @Test(.tags(.measuresTime)) func whileRedisHangsTheAnswerComesSoon() async throws {
        try await withObservedGateways { gateways in
            try await eventually("the worker is seen") { try await gateways.workers().count == 1 }
            gateways.redis.suspend()
            let (overview, duration) = try await timed { try await gateways.overview() }
            gateways.redis.resume()
            #expect(overview["redis"]["state"].string == "unavailable")
            #expect(duration < .seconds(1))
        }
    }

    @Test func whatIsWrongWithRedisIsToldWithTheRemedy() async throws {
        let arguments = ["--maxmemory", "300mb", "--maxmemory-policy", "allkeys-lru"]
        try await withObservedGateways(redisArguments: arguments) { gateways in
            let redis = try await gateways.overview()["redis"]
            #expect(redis["state"].string == "warning")
            #expect(redis["server"]["maxMemoryBytes"].integer == 300 << 20)
            let codes = redis["warnings"].elements?.compactMap { $0["code"].string }
            #expect(codes == ["eviction-policy", "no-append-only-file"])
            #expect(
                redis["warnings"].elements?.first?["message"].string?.contains("maxmemory-policy noeviction") == true)
        }
    }

    /// As with an ACL from before there were reports.
    @Test func reportsThatAreForbiddenAreMissed() async throws {
        try await withObservedGateways(
            redisURL: { redis in
                _ = try await withRedisClient(redis.configuration) { client in
                    try await client.send("ACL SETUSER gateway on >password +@all ~* -zremrangebyscore")
                }
                return redis.url.replacing("redis://", with: "redis://gateway:password@")
            }
        ) { gateways in
            try await eventually("the failure is told of") {
                try await gateways.overview()["redis"]["warnings"].elements?.contains {
                    $0["code"] == "report-not-taken" && $0["message"].string?.contains("NOPERM") == true
                } == true
            }
            let status = try await gateways.verify("user_abc")
            #expect(status == 200)
        }
    }

    /// What `/readyz` says stands there, too.
    @Test func aRedisThatRefusesCallsIsNotWell() async throws {
        try await withObservedGateways { gateways in
            _ = try await withRedisClient(gateways.redis.configuration) { client in
                try await client.send("CONFIG SET maxmemory 1")
            }
            try await eventually("it is said") {
                let redis = try await gateways.overview()["redis"]
                return redis["state"] == "warning"
                    && redis["warnings"].elements?.contains {
                        $0["code"] == "calls-refused" && $0["message"].string?.contains("OOM") == true
                    } == true
            }
        }
    }

    /// A worker that may not ask for INFO says so, and all else is told.
    @Test func infoMayBeForbidden() async throws {
        try await withObservedGateways(
            redisURL: { redis in
                _ = try await withRedisClient(redis.configuration) { client in
                    try await client.send("ACL SETUSER gateway on >password +@all -info ~*")
                }
                return redis.url.replacing("redis://", with: "redis://gateway:password@")
            }
        ) { gateways in
            try await eventually("the worker is seen") { try await gateways.workers().count == 1 }
            let redis = try await gateways.overview()["redis"]
            #expect(redis["state"].string == "warning")
            #expect(redis["server"] == .null)
            #expect(redis["warnings"].elements?.compactMap { $0["code"].string } == ["info-not-permitted"])
            #expect(redis["warnings"].elements?[0]["message"].string?.hasSuffix("ACL SETUSER gateway +info") == true)
        }
    }
}
