import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// `/readyz` is 503, with the reason, whenever a metered call would fail.
@Suite(.timeLimit(.minutes(6))) struct ReadinessTests {
    private func readiness(_ worker: Worker) async throws -> HTTP.Answer {
        try await HTTP.get("/readyz", port: worker.adminPort)
    }

    private func expectReady(_ worker: Worker, _ place: String) async throws {
        try await eventually("ready: \(place)", within: .seconds(5)) { try await readiness(worker).status == 200 }
    }

    private func expectUnready(_ worker: Worker, _ reason: String) async throws {
        try await eventually("unready with the reason \(reason)") {
            let answer = try await readiness(worker)
            return answer.status == 503 && answer.body.contains(reason)
        }
    }

    /// By a connection of its own, which no failover of the worker's concerns.
    private func send(_ line: String, to redis: RedisServerProcess) async throws {
        let answer = try await RawClient.ask(redis.port, line + "\r\n") { $0.hasSuffix("\r\n") }
        #expect(!answer.hasPrefix("-"), "\(line): \(answer)")
    }

    @Test func aDemotedRedisIsLoggedOnceEachWay() async throws {
        try await withFleet { fleet in
            let (worker, redis) = (fleet.workers[0], fleet.redis)
            let token = try fleet.token("user_abc", plan: "paid")
            try await expectReady(worker, "the start")
            try await send("REPLICAOF 127.0.0.1 1", to: redis)
            try await expectUnready(worker, "READONLY")
            for _ in 1...100 {
                let answer = try await HTTP.verify(token, port: worker.port)
                #expect(answer.status == 503)
                let ready = try await readiness(worker)
                #expect(ready.status == 503, "\(ready.body)")
            }
            try await send("REPLICAOF NO ONE", to: redis)
            try await expectReady(worker, "promoted again")
            let answer = try await HTTP.verify(token, port: worker.port)
            #expect(answer.status == 200)
            worker.process.signal(15)
            var lines: [String] = []
            for await line in worker.process.lines { lines.append(line) }
            #expect(lines.filter { $0.contains("redis unavailable") }.count == 1, "\(lines)")
            #expect(lines.filter { $0.contains("redis connected") }.count <= 2, "\(lines)")
        }
    }

    @Test(arguments: [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
        ("ACL SETUSER \(RedisUsers.tested) -evalsha", "ACL SETUSER \(RedisUsers.tested) +evalsha", "NOPERM"),
        ("ACL SETUSER \(RedisUsers.tested) resetkeys ~worker:*", "ACL SETUSER \(RedisUsers.tested) allkeys", "NOPERM"),
    ])
    func aRedisThatTakesNoCallsIsNotReady(command: String, remedy: String, reason: String) async throws {
        try await withFleet { fleet in
            let worker = fleet.workers[0]
            try await expectReady(worker, "the start")
            try await send(command, to: fleet.redis)
            try await expectUnready(worker, reason)
            let answer = try await HTTP.verify(try fleet.token("user_abc"), port: worker.port)
            #expect(answer.status == 503)
            try await send(remedy, to: fleet.redis)
            try await expectReady(worker, remedy)
        }
    }

    @Test(.enabled(if: RedisUsers.tested == "default", "The password is the default user's."))
    func aLoginThatIsAskedForLaterIsNamed() async throws {
        try await withFleet { fleet in
            let worker = fleet.workers[0]
            try await expectReady(worker, "the start")
            try await send("CONFIG SET requirepass secret", to: fleet.redis)
            // Connections that stand are logged in; the next ones are not.
            let reply = try await RawClient.ask(
                fleet.redis.port, "AUTH secret\r\nCLIENT KILL TYPE normal SKIPME yes\r\n"
            ) { $0.contains(":") }
            #expect(reply.hasPrefix("+OK"))
            try await expectUnready(worker, "NOAUTH")
        }
    }

    @Test func aNodeOfAClusterIsNoRedisForAWorkerThatKnowsOfNone() async throws {
        // Below those that the system gives away, or the servers' own ports could be the same.
        func arguments() -> [String] {
            ["--cluster-enabled", "yes", "--cluster-port", "\(Int.random(in: 20_000...32_000))"]
        }
        try await withTwoRedis(extraArguments: arguments) { first, second in
            try await send("CLUSTER ADDSLOTSRANGE 0 8191", to: first)
            try await send("CLUSTER ADDSLOTSRANGE 8192 16383", to: second)
            let bus = try await withRedisClient(second.patientConfiguration) {
                try await $0.send("CONFIG GET cluster-port").array?.last?.string
            }
            try await send("CLUSTER MEET 127.0.0.1 \(second.port) \(bus ?? "")", to: first)
            try await eventually("the cluster stands", within: .seconds(20)) {
                try await withRedisClient(first.patientConfiguration) {
                    try await $0.send("CLUSTER INFO").string?.contains("cluster_state:ok") == true
                }
            }
            let identity = try DevelopmentIdentity.shared()
            let environment = Worker.environment(redisURL: first.url, identity: identity)
            try await withWorkers(1, environment: environment) { workers in
                try await expectUnready(workers[0], "MOVED")
            }
        }
    }

    @Test func aWorkerWithoutASigningKeyIsNotReady() async throws {
        try await withRedis { redis in
            let identity = try DevelopmentIdentity.shared()
            var environment = Worker.environment(redisURL: redis.url, identity: identity)
            environment["CLERK_JWT_KEY"] = nil
            environment["CLERK_JWKS_URL"] = "http://127.0.0.1:1/jwks.json"
            try await withWorkers(1, environment: environment) { workers in
                try await expectUnready(workers[0], "No key that verifies session tokens")
            }
        }
    }

    @Test func aNameWithAnAddressThatRefusesIsConnectedTo() async throws {
        try await withRedis { redis in
            let identity = try DevelopmentIdentity.shared()
            let environment = Worker.environment(
                redisURL: "redis://localhost:\(redis.port)", identity: identity)
            try await withWorkers(1, environment: environment) { workers in
                try await expectReady(workers[0], "by name")
            }
        }
    }
}
