import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// What callers of a worker see while Redis hangs, or takes no more clients.
@Suite(.timeLimit(.minutes(6)), .tags(.measuresTime)) struct RedisHangTests {
    private static let plans = "plans:\n  free: { quota: 1000000, ratePerMinute: 1000000 }\n"

    @Test func aHangCostsItsDeadlineThoseInFlightAndNothingAfterThem() async throws {
        try await withFleet(plans: Self.plans) { fleet in
            let (redis, port) = (fleet.redis, fleet.workers[0].port)
            let token = try fleet.token("user_abc")
            let first = try await HTTP.verify(token, port: port)
            #expect(first.status == 200)

            redis.suspend()
            let inFlight = 16
            try await withThrowingTaskGroup(of: HTTP.Answer.self) { group in
                for _ in 1...inFlight { group.addTask { try await HTTP.verify(token, port: port) } }
                for try await answer in group { #expect(answer.status == 503) }
            }
            // Each event loop has its connection, and finds out by a call of its own.
            var foundOut = 0
            try await eventually("every connection is known to hang") {
                let (answer, duration) = try await timed { try await HTTP.verify(token, port: port) }
                #expect(answer.status == 503)
                foundOut = duration < .milliseconds(100) ? foundOut + 1 : 0
                return foundOut == 20
            }
            let (_, duration) = try await timed {
                for _ in 1...200 {
                    let answer = try await HTTP.verify(token, port: port)
                    #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
                }
            }
            #expect(duration < .seconds(4), "200 calls one after the other: \(duration)")

            redis.resume()
            try await eventually("service is normal", within: .seconds(1)) {
                let answer = try await HTTP.verify(token, port: port)
                let ready = try await HTTP.get("/readyz", port: fleet.workers[0].adminPort)
                return answer.status == 200 && ready.status == 200
            }
            let counted = try await withRedisClient(redis.configuration) { client in
                try await client.send("HGET usage:{user_abc} usageCount").string.flatMap { Int($0) }
            }
            #expect((counted ?? .max) < 100, "the 200 were never sent, and cost nothing")
        }
    }

    /// Sentinels take a primary that hangs for one that is dead. It is not asked again when it is back.
    @Test func aPrimaryThatHangsIsFollowedWithinASecondOfTheSentinelsWord() async throws {
        try await SentinelProcesses.run { group in
            let identity = try DevelopmentIdentity.shared()
            let environment = Worker.environment(redisURL: group.url(), identity: identity)
            try await withWorkers(2, environment: environment) { workers in
                let token = try identity.token(user: "user_abc", plan: "paid", now: SystemClock().now())
                func serves(_ worker: Worker) async throws {
                    try await eventually("calls are answered", within: .seconds(20)) {
                        try await HTTP.verify(token, port: worker.port).status == 200
                    }
                }
                for worker in workers { try await serves(worker) }
                group.primary.suspend()
                // Sentinels look at the replica once a second, and tell of its promotion when they have seen it.
                let told = try await withThrowingTaskGroup(of: ContinuousClock.Instant.self) { tasks in
                    for sentinel in group.sentinels {
                        tasks.addTask {
                            try await group.isSwitched(at: [sentinel])
                            return .now
                        }
                    }
                    defer { tasks.cancelAll() }
                    return try await tasks.next() ?? .now
                }
                for worker in workers { try await serves(worker) }
                let late = ContinuousClock.now - told
                group.primary.resume()
                #expect(late < .seconds(1), "\(late) after the first sentinel's word")
                for _ in 1...10 {
                    for worker in workers {
                        let answer = try await HTTP.verify(token, port: worker.port)
                        #expect(answer.status == 200)
                    }
                }
                let configuration = RedisClientConfiguration(
                    endpoint: try RedisEndpoint(url: group.replica.url), commandTimeout: .seconds(5))
                let counted = try await withRedisClient(configuration) { client in
                    try await client.send("HGET usage:{user_abc} usageCount").string.flatMap { Int($0) }
                }
                #expect((counted ?? 0) >= 22, "all of them are counted where the primary is")
            }
        }
    }

    @Test(arguments: ["", "secret"])
    func aRedisThatTakesNoMoreClientsIsNamed(password: String) async throws {
        let login = password.isEmpty ? [] : ["--requirepass", password]
        try await withTemporaryDirectory { directory in
            try await withRedis(in: directory, extraArguments: login) { redis in
                let first = try await RawClient.connect(port: redis.port)
                if !password.isEmpty { try await first.send("AUTH \(password)\r\n") }
                try await first.send("CONFIG SET maxclients 1\r\n")
                try await first.waits(for: password.isEmpty ? "+OK" : "+OK\r\n+OK")
                let url = redis.url.replacing("redis://", with: password.isEmpty ? "redis://" : "redis://:\(password)@")
                let environment = Worker.environment(redisURL: url, identity: try DevelopmentIdentity.shared())
                let log = KeptLog()
                try await withGateways(
                    1, environment: environment, directory: directory, time: SystemClock(), becomeReady: false,
                    logger: log.logger
                ) { ports in
                    let reason = "ERR max number of clients reached"
                    for path in ["/readyz", "/overview.json"] {
                        try await eventually("\(path) tells the reason") {
                            try await HTTP.get(path, port: ports[0].adminPort).body.contains(reason)
                        }
                    }
                    #expect(log.lines.contains { $0.contains("redis unavailable") && $0.contains(reason) })
                    #expect(!log.lines.contains { $0.contains("the login failed") })
                    try await first.send("CONFIG SET maxclients 100\r\n")
                    try await eventually("ready") {
                        try await HTTP.get("/readyz", port: ports[0].adminPort).status == 200
                    }
                }
                try await first.close()
            }
        }
    }
}
