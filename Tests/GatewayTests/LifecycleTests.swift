import Hiredis
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Starting, refusing to start, and leaving without losing a request.
@Suite struct LifecycleTests {
    @Test func drainingLosesNoRequest() async throws {
        let plans = "plans:\n  free: { quota: 1000000, ratePerMinute: 1000000 }\n"
        try await withFleet(plans: plans, settings: ["TOLLGATE_DRAIN_SECONDS": "2"]) { fleet in
            let worker = fleet.workers[0]
            let token = try fleet.token("user_abc")
            let load = Load()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        // A load balancer sends nothing more once /readyz says no.
                        while !load.isLeaving {
                            let answer = try await HTTP.verify(token, port: worker.port)
                            #expect(answer.status == 200)
                            load.answered()
                        }
                    }
                }
                try await eventually("requests flow") { load.answerCount > 200 }
                worker.process.signal(SIGTERM)
                try await eventually("the worker is not ready any more") {
                    try await HTTP.get("/readyz", port: worker.adminPort).status == 503
                }
                let whenLeaving = load.answerCount
                try await eventually("requests are still served") {
                    load.answerCount > whenLeaving + 50
                }
                load.leave()
                try await group.waitForAll()
            }
            let status = await worker.process.wait()
            #expect(status == .exited(0))
            try await withRedisClient(fleet.redis.configuration) { redis in
                let count = try await redis.send("HGET usage:{user_abc} usageCount").string
                #expect(count == "\(load.answerCount)")
            }
        }
    }

    @Test func everythingMissingIsSaidAtOnce() async throws {
        let (status, lines) = try await run(["serve"], environment: ["PATH": "/usr/bin:/bin"])
        #expect(status == .exited(78))
        #expect(lines.contains { $0.contains("REDIS_URL") })
        #expect(lines.contains { $0.contains("CLERK_JWT_KEY") })
        #expect(lines.allSatisfy { $0.hasPrefix("tollgate: ") })
    }

    @Test func keyAndRedisAreEnoughToServe() async throws {
        try await withTemporaryDirectory { directory in
            try await withRedis(in: directory) { redis in
                let identity = try DevelopmentIdentity.shared()
                let worker = try await Worker.start(
                    environment: ["REDIS_URL": redis.url, "CLERK_JWT_KEY": identity.publicKeyPEM],
                    arguments: ["--port", "0", "--admin-port", "0"])
                let token = try Fleet(redis: redis, identity: identity, workers: []).token("user_abc")
                try await eventually("the worker serves") {
                    try await HTTP.verify(token, port: worker.port).status == 200
                }
                worker.process.signal(SIGINT)
                let status = await worker.process.wait()
                #expect(status == .exited(0))
            }
        }
    }

    /// Whatever Redis does or does not do.
    @Test(arguments: [ScriptedServer.Reaction.nothing, .hangUp, .say("-LOADING Redis is loading\r\n")])
    func aRedisThatIsOfNoUseKeepsNoWorkerFromEnding(reaction: ScriptedServer.Reaction) async throws {
        let server = try await ScriptedServer { _ in reaction }
        let worker = try await Worker.start(
            environment: Worker.environment(
                redisURL: "redis://localhost:\(server.port)", identity: try DevelopmentIdentity.shared()))
        worker.process.signal(SIGTERM)
        let (status, duration) = await timed { await worker.process.wait() }
        #expect(status == .exited(0))
        #expect(duration < .seconds(15))
        try await server.close()
    }

    /// It takes as long as the limit, which is half a minute.
    @Test(.timeLimit(.minutes(6))) func aRequestThatNeverEndsDoesNotKeepAWorkerFromEnding() async throws {
        let upstream = try await ScriptedUpstream { _, _ in nil }
        let file = RouteFile.text(
            RouteFile.route("/api", to: upstream.port, "auth: none, timeouts: {response: 1h, idle: 1h}"))
        try await withFleet(plans: file) { fleet in
            let worker = fleet.workers[0]
            let client = try await RawClient.connect(port: worker.port)
            try await client.send(Wire.get("/api"))
            try await eventually("the upstream was asked") { !upstream.received.isEmpty }
            worker.process.signal(SIGTERM)
            let (_, duration) = await timed { await worker.process.wait() }
            #expect(duration < .seconds(40), "a limit of 30 s and a busy machine")
            // The worker has closed it already.
            try? await client.close()
        }
        try await upstream.close()
    }

    @Test func portsThatAreTakenAreNamed() async throws {
        try await withFleet { fleet in
            let environment = Worker.environment(redisURL: fleet.redis.url, identity: fleet.identity)
            let (status, lines) = try await run(
                ["serve", "--port", "\(fleet.workers[0].port)"], environment: environment)
            #expect(status == .exited(1))
            #expect(lines.contains { $0.hasPrefix("tollgate: ") && $0.contains("\(fleet.workers[0].port)") })
        }
    }

    @Test func healthcheckAsksTheWorkerOfTheSameSettings() async throws {
        try await withFleet { fleet in
            let worker = fleet.workers[0]
            let environment = fleet.environment.merging(["TOLLGATE_ADMIN_PORT": "\(worker.adminPort)"]) { $1 }
            let healthy = try await run(["healthcheck"], environment: environment)
            #expect(healthy.status == .exited(0))
            #expect(healthy.lines.isEmpty)
            await fleet.redis.stop()
            let unready = try await run(["healthcheck"], environment: environment)
            #expect(unready.status == .exited(1))
            #expect(unready.lines.count == 1 && unready.lines[0].contains("/readyz answers 503"))
            await worker.process.terminate()
            let gone = try await run(["healthcheck"], environment: environment)
            #expect(gone.status == .exited(1))
            #expect(gone.lines.count == 1 && gone.lines[0].contains("does not answer"))
        }
    }

    @Test func developmentModeWorksByCopyAndPaste() async throws {
        try await withTemporaryDirectory { directory in
            let development = try ChildProcess.start(
                Worker.program,
                ["dev", "--data", directory + "/data"]
                    + ["", "admin-", "identity-", "stripe-", "clerk-"].flatMap { ["--\($0)port", "0"] },
                environment: ["PATH": "/usr/bin:/bin"], output: .lines)
            var commands: [String] = []
            for await line in development.lines {
                if ["  TOKEN=", "  curl ", "  redis-cli "].contains(where: line.hasPrefix) { commands.append(line) }
                if line.hasPrefix("Ctrl-C") { break }
            }
            #expect(commands.count == 4)
            // In one terminal, one after the other.
            let printed = try await shell(commands.joined(separator: "; echo\n"))
            #expect(printed.contains(#""success":true,"userId":"user_abc","usage":{"count":1,"limit":5,"plan":"free""#))
            #expect(printed.contains(#"{"checkoutUrl":"http://127.0.0.1:"#))
            #expect(printed.contains("usageCount"))
            development.signal(SIGINT)
            let status = await development.wait()
            #expect(status == .exited(0))
            let after = try await shell("\(try #require(commands.last)) 2>&1")
            #expect(after.contains("Connection refused"), "the private redis-server is gone too")
        }
    }

    @Test func developmentModeRefusesLiveKeys() async throws {
        for arguments in [["dev", "--port", "0"], ["dev", "token"]] {
            let (status, lines) = try await run(
                arguments, environment: ["PATH": "/usr/bin:/bin", "CLERK_SECRET_KEY": "sk_live_abc"])
            #expect(status == .exited(1))
            #expect(lines.contains { $0.contains("CLERK_SECRET_KEY") && !$0.contains("sk_live_abc") })
        }
    }

    /// What callers and the test tell each other.
    private final class Load: Sendable {
        private let leaving = Atomic<Bool>(false)
        private let answers = Atomic<Int>(0)

        var isLeaving: Bool { leaving.load(ordering: .relaxed) }
        var answerCount: Int { answers.load(ordering: .relaxed) }

        func leave() { leaving.store(true, ordering: .relaxed) }
        func answered() { answers.wrappingAdd(1, ordering: .relaxed) }
    }

    private func run(
        _ arguments: [String], environment: [String: String]
    ) async throws -> (status: ChildProcess.ExitStatus, lines: [String]) {
        let process = try ChildProcess.start(
            Worker.program, arguments, environment: environment, output: .lines)
        var lines: [String] = []
        for await line in process.lines { lines.append(line) }
        return (await process.wait(), lines.filter { $0.hasPrefix("tollgate:") })
    }

    private func shell(_ command: String) async throws -> String {
        let process = try ChildProcess.start("sh", ["-c", command], output: .lines)
        var text = ""
        for await line in process.lines { text += line + "\n" }
        _ = await process.wait()
        return text
    }
}
