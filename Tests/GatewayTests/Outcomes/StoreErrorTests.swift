import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// Redis is there and answers with an error. That opens no route, also none that an outage would open: what one user's
/// damaged record opened would be open for that user for ever.
@Suite(.timeLimit(.minutes(6))) struct StoreErrorTests {
    private static func run(
        _ body: @escaping @Sendable (KeyedGateways, ScriptedUpstream, KeptLog) async throws -> Void
    ) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let file = RouteFile.text(
            RouteFile.route("/open", to: upstream.port, "onRedisDown: open"),
            RouteFile.route("/closed", to: upstream.port))
        let log = KeptLog()
        try await withRoutedGateways(file: file, logger: log.logger) { try await body($0, upstream, log) }
        try await upstream.close()
    }

    /// By a connection of its own.
    private static func send(_ line: String, to redis: RedisServerProcess) async throws {
        let answer = try await RawClient.ask(redis.port, line + "\r\n") { $0.hasSuffix("\r\n") }
        #expect(!answer.hasPrefix("-"), "\(line): \(answer)")
    }

    private static func expectUnavailable(_ answer: HTTP.Answer, _ place: String) {
        #expect(answer.status == 503, "\(place)")
        #expect(answer.member("code") == "service-unavailable", "\(place)")
        #expect(answer.headers["retry-after"] == "1", "\(place)")
        #expect(answer.headers["x-tollgate-degraded"] == nil, "\(place)")
    }

    /// The value of a line of `/metrics`. Nil when there is none.
    private static func metric(_ line: String, _ gateways: KeyedGateways) async throws -> Int? {
        let lines = try await gateways.metrics().split(separator: "\n")
        return lines.first { $0.hasPrefix(line + " ") }.flatMap { Int($0.dropFirst(line.count + 1)) }
    }

    private static func warnings(_ log: KeptLog) -> [String] {
        log.lines.filter { $0.hasPrefix("warning Redis answered an admission with an error") }
    }

    private static func readiness(_ gateways: KeyedGateways) async throws -> HTTP.Answer {
        try await HTTP.get("/readyz", port: gateways.ports[0].adminPort)
    }

    @Test func aUsersDamagedRecordIsNoOpenDoor() async throws {
        try await Self.run { gateways, upstream, log in
            let key = try await gateways.makeKey().text
            let before = try await gateways.call(key, "GET", "/open")
            #expect(before.status == 200)
            try await Self.send("DEL usage:{user_abc}", to: gateways.redis)
            try await Self.send("SET usage:{user_abc} text", to: gateways.redis)
            let heard = upstream.received
            for path in ["/open", "/closed"] {
                Self.expectUnavailable(try await gateways.send("GET", path), "a token, \(path)")
                Self.expectUnavailable(try await gateways.call(key, "GET", path), "a key, \(path)")
            }
            Self.expectUnavailable(try await gateways.send("POST", "/verify-auth"), "/verify-auth")
            #expect(upstream.received == heard, "no upstream was asked")

            let errors = try await Self.metric("tollgate_store_errors_total{code=\"WRONGTYPE\"}", gateways)
            #expect(errors == 5)
            let degraded = try await Self.metric("tollgate_degraded_admissions_total", gateways)
            #expect((degraded ?? 0) == 0)
            let warnings = Self.warnings(log)
            #expect(warnings.count == 5, "one for each call: \(log.lines)")
            for warning in warnings {
                #expect(warning.contains("code=WRONGTYPE") && warning.contains("user=user_abc"), "\(warning)")
                #expect(warning.contains("usage:{user_abc} holds"), "the key to look at: \(warning)")
            }
            let ready = try await Self.readiness(gateways)
            #expect(ready.status == 200, "that is no reason to send others elsewhere")
            let other = try await gateways.send("GET", "/open", as: "user_other")
            #expect(other.status == 200 && other.headers["x-tollgate-degraded"] == nil)

            try await Self.send("DEL usage:{user_abc}", to: gateways.redis)
            let repaired = try await gateways.call(key, "GET", "/open")
            #expect(repaired.status == 200 && repaired.headers["x-tollgate-degraded"] == nil)
        }
    }

    /// What Redis is told, what it is told to be well again, the code, and what `/readyz` says.
    @Test(arguments: [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM", "OOM"),
        (
            "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS", "NOREPLICAS"
        ),
        ("ACL SETUSER \(RedisUsers.tested) -evalsha", "ACL SETUSER \(RedisUsers.tested) +evalsha", "NOPERM", "NOPERM"),
        // A command that the probe of readiness does not try, and that the script fails at.
        (
            "ACL SETUSER \(RedisUsers.tested) -hincrby", "ACL SETUSER \(RedisUsers.tested) +hincrby", "NOPERM",
            "script"
        ),
    ])
    func whatFailsEveryCallOpensNothingAndTurnsReadinessOff(
        command: String, remedy: String, code: String, reason: String
    ) async throws {
        try await Self.run { gateways, upstream, log in
            let before = try await gateways.send("GET", "/open")
            #expect(before.status == 200)
            let heard = upstream.received
            try await Self.send(command, to: gateways.redis)
            Self.expectUnavailable(try await gateways.send("GET", "/open"), command)
            let errors = try await Self.metric("tollgate_store_errors_total{code=\"\(code)\"}", gateways)
            #expect(errors == 1)
            let warnings = Self.warnings(log)
            #expect(warnings.count == 1 && warnings[0].contains("code=\(code) "), "\(log.lines)")
            #expect(upstream.received == heard, "no upstream was asked")
            let unready = try await Self.readiness(gateways)
            #expect(unready.status == 503 && unready.body.contains(reason), "\(unready.body)")

            try await Self.send(remedy, to: gateways.redis)
            let after = try await gateways.send("GET", "/open")
            #expect(after.status == 200 && after.headers["x-tollgate-degraded"] == nil)
            let ready = try await Self.readiness(gateways)
            #expect(ready.status == 200, "\(ready.body)")
            let used = try await gateways.usedCalls()
            #expect(used == 2, "what failed cost nothing")
        }
    }

    /// A worker that is not ready is sent no requests: it must become ready without one.
    @Test func aWorkerIsReadyAgainWithoutACall() async throws {
        try await Self.run { gateways, _, _ in
            try await Self.send("ACL SETUSER \(RedisUsers.tested) -hincrby", to: gateways.redis)
            Self.expectUnavailable(try await gateways.send("GET", "/closed"), "-hincrby")
            let unready = try await Self.readiness(gateways)
            #expect(unready.status == 503)
            try await Self.send("ACL SETUSER \(RedisUsers.tested) +hincrby", to: gateways.redis)
            try await eventually("ready again", within: .seconds(15)) {
                try await Self.readiness(gateways).status == 200
            }
        }
    }

    /// What is taken for another value is no error: the call passes, and an operator hears of it once.
    @Test func oddValuesAreToldOfAndRefuseNobody() async throws {
        try await Self.run { gateways, _, log in
            try await Self.send("HSET usage:{user_abc} usageCount many periodStart soon", to: gateways.redis)
            for _ in 1...2 {
                let answer = try await gateways.send("GET", "/open")
                #expect(answer.status == 200 && answer.headers["x-tollgate-degraded"] == nil)
            }
            let odd = try await Self.metric("tollgate_odd_values_total", gateways)
            #expect(odd == 2)
            let lines = log.lines.filter { $0.contains("values=usageCount periodStart") }
            #expect(lines.count == 1 && lines[0].contains("user=user_abc"), "\(log.lines)")
            let used = try await gateways.usedCalls()
            #expect(used == 2)
        }
    }

    @Test func aRedisThatIsAwayStillOpensWhatIsToBeOpen() async throws {
        try await Self.run { gateways, _, log in
            await gateways.redis.stop()
            let open = try await gateways.send("GET", "/open")
            #expect(open.status == 200 && open.headers["x-tollgate-degraded"] == "redis-unavailable")
            Self.expectUnavailable(try await gateways.send("GET", "/closed"), "a closed route")
            let errors = try await gateways.metrics().split(separator: "\n").filter {
                $0.hasPrefix("tollgate_store_errors_total{") && !$0.hasSuffix(" 0")
            }
            #expect(errors.isEmpty, "it has answered nothing: \(errors)")
            #expect(Self.warnings(log).isEmpty)
            try await gateways.redis.restart()
            try await eventually("full service again", within: .seconds(5)) {
                let answer = try await gateways.send("GET", "/open")
                return answer.status == 200 && answer.headers["x-tollgate-degraded"] == nil
            }
        }
    }
}
