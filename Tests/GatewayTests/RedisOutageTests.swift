import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// What callers of a worker see while Redis is away, and how soon service is whole again.
@Suite(.tags(.measuresTime)) struct RedisOutageTests {
    private static let failureLimit = Duration.milliseconds(300)
    private static let recoveryLimit = Duration.seconds(2)

    private func expectUnavailable(_ token: String, _ worker: Worker, _ place: String) async throws {
        let (answer, duration) = try await timed { try await HTTP.verify(token, port: worker.port) }
        #expect(answer.status == 503, "\(place)")
        #expect(answer.member("error") == "Service unavailable", "\(place)")
        #expect(answer.member("code") == "service-unavailable", "\(place)")
        #expect(answer.headers["retry-after"] == "1", "\(place)")
        #expect(duration < Self.failureLimit, "\(place): \(duration)")
        let ready = try await HTTP.get("/readyz", port: worker.adminPort)
        #expect(ready.status == 503, "\(place)")
        let live = try await HTTP.get("/livez", port: worker.adminPort)
        #expect(live.status == 200, "\(place)")
    }

    private func expectRecovery(_ token: String, _ worker: Worker, _ place: String) async throws {
        try await eventually("full service after \(place)", within: Self.recoveryLimit) {
            let answer = try await HTTP.verify(token, port: worker.port)
            let ready = try await HTTP.get("/readyz", port: worker.adminPort)
            return answer.status == 200 && ready.status == 200
        }
    }

    @Test func redisStopsHangsAndComesBack() async throws {
        try await withFleet { fleet in
            let (redis, worker) = (fleet.redis, fleet.workers[0])
            let token = try fleet.token("user_abc", plan: "paid")
            try await expectRecovery(token, worker, "the start")

            await redis.stop()
            try await expectUnavailable(token, worker, "stopped")
            try await redis.restart()
            try await expectRecovery(token, worker, "a restart without scripts")

            redis.suspend()
            for call in 1...3 { try await expectUnavailable(token, worker, "hung, call \(call)") }
            redis.resume()
            try await expectRecovery(token, worker, "a hang")

            await redis.kill()
            try await expectUnavailable(token, worker, "killed")
            try await redis.restart()
            try await expectRecovery(token, worker, "a crash")
        }
    }

    @Test func redisIsNotThereAtTheStart() async throws {
        try await withTemporaryDirectory { directory in
            try await withRedis(in: directory) { redis in
                await redis.stop()
                let identity = try DevelopmentIdentity.shared()
                let worker = try await Worker.start(
                    environment: Worker.environment(redisURL: redis.url, identity: identity))
                // Each look at the recovery is a call: more of them than the free plan has.
                let token = try Fleet(redis: redis, identity: identity, workers: [worker])
                    .token("user_abc", plan: "paid")
                try await expectUnavailable(token, worker, "not there yet")
                try await redis.restart()
                try await expectRecovery(token, worker, "a late start")
                await worker.process.terminate()
            }
        }
    }

    @Test func redisIsAReadOnlyReplica() async throws {
        try await withFleet { fleet in
            try await withRedisClient(fleet.redis.configuration) { redis in
                let token = try fleet.token("user_abc", plan: "paid")
                try await expectRecovery(token, fleet.workers[0], "the start")
                try await redis.send("REPLICAOF 127.0.0.1 1")
                for _ in 1...3 {
                    let (answer, duration) = try await timed {
                        try await HTTP.verify(token, port: fleet.workers[0].port)
                    }
                    #expect(answer.status == 503)
                    #expect(duration < Self.failureLimit)
                }
                try await redis.send("REPLICAOF NO ONE")
                try await expectRecovery(token, fleet.workers[0], "a failover")
            }
        }
    }

    @Test(arguments: [
        "-LOADING Redis is loading the dataset in memory\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n",
    ])
    func redisTalksNonsense(answer: String) async throws {
        let server = try await ScriptedServer { _ in .say(answer + answer) }
        let identity = try DevelopmentIdentity.shared()
        let worker = try await Worker.start(
            environment: Worker.environment(redisURL: "redis://127.0.0.1:\(server.port)", identity: identity))
        let token = try identity.token(user: "user_abc", plan: "free", now: SystemClock().now())
        try await expectUnavailable(token, worker, answer)
        await worker.process.terminate()
        try await server.close()
    }
}
