import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// What callers get, and how fast, when Redis is away, hangs or talks nonsense; and how soon it is all well again.
@Suite(.tags(.measuresTime)) struct RedisFaultTests {
    /// The longest a caller waits when Redis is the cause, with the default command timeout of 200 ms.
    private static let failureLimit = Duration.milliseconds(300)

    /// The longest until full service after Redis has come back.
    private static let recoveryLimit = Duration.seconds(2)

    private func expectQuickFailure(_ client: RedisClient) async {
        let (error, duration) = await timed { () -> RedisError? in
            do throws(RedisError) {
                _ = try await client.execute(RedisCommand("PING"))
                return nil
            } catch {
                return error
            }
        }
        #expect(error != nil)
        #expect(duration < Self.failureLimit, "\(error.map { "\($0)" } ?? "") took \(duration)")
    }

    private func expectRecovery(_ client: RedisClient) async throws {
        try await eventually("full service", within: Self.recoveryLimit) { client.isReady }
        #expect(await client.ping())
        let call = RedisScript.Call(RedisScript(source: "return 42"), keys: [], arguments: [])
        #expect(try await client.run(call) == .integer(42), "scripts included")
    }

    @Test func redisComesLater() async throws {
        try await withRedis { server in
            await server.stop()
            try await withRedisClient(server.configuration, waitsUntilReady: false) { client in
                await expectQuickFailure(client)
                try await eventually("the reason is known") { client.lastFailure?.contains("refused") == true }
                try await server.restart()
                try await expectRecovery(client)
            }
        }
    }

    @Test func redisCrashesInFlightAndComesBackWithoutItsScripts() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                let call = RedisScript.Call(RedisScript(source: "return 42"), keys: [], arguments: [])
                #expect(try await client.run(call) == .integer(42))
                server.suspend()
                let inFlight = Task { try await client.send("PING") }
                try await eventually("the command is sent") { client.pendingCommandCount == 1 }
                await server.kill()
                await #expect(throws: RedisError.self) { try await inFlight.value }
                await expectQuickFailure(client)
                try await server.restart()
                try await expectRecovery(client)
            }
        }
    }

    @Test func redisHangs() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                server.suspend()
                for _ in 0..<5 { await expectQuickFailure(client) }
                try await eventually("the stalled connections are given up") { client.readyConnectionCount == 0 }
                let (_, duration) = await timed { await expectQuickFailure(client) }
                #expect(duration < .milliseconds(100), "a connection known to be stalled is not waited for again")
                server.resume()
                try await expectRecovery(client)
            }
        }
    }

    @Test func redisBecomesAReplica() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                try await client.send("REPLICAOF 127.0.0.1 1")
                await #expect(throws: RedisError.self) { try await client.send("SET key value") }
                try await eventually("connected again") { client.isReady }
                try await client.send("REPLICAOF NO ONE")
                try await expectRecovery(client)
                #expect(try await client.send("SET key value") == .status("OK"))
            }
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "not Redis' protocol"),
        ("-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        ("-ERR max number of clients reached\r\n", "max number of clients"),
        ("-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN"),
    ])
    func serverIsNotFitForService(answer: String, reason: String) async throws {
        // SETNAME and PING come in one write.
        let server = try await ScriptedServer { _ in .say(answer + answer) }
        let endpoint = RedisEndpoint(address: .tcp(host: "127.0.0.1", port: server.port))
        try await withRedisClient(RedisClientConfiguration(endpoint: endpoint), waitsUntilReady: false) { client in
            try await eventually("'\(reason)' is the reason given") { client.lastFailure?.contains(reason) == true }
            await expectQuickFailure(client)
            #expect(!client.isReady)
        }
        try await server.close()
    }

    @Test func serverTalksNonsenseLater() async throws {
        let server = try await ScriptedServer { bytes in
            // AUTH and SELECT are not sent; SETNAME and PING come in one write.
            bytes.contains("SETNAME") ? .say("+OK\r\n+PONG\r\n") : .say("*1\r\n?nonsense\r\n")
        }
        let endpoint = RedisEndpoint(address: .tcp(host: "127.0.0.1", port: server.port))
        try await withRedisClient(RedisClientConfiguration(endpoint: endpoint)) { client in
            _ = await #expect(throws: RedisError.self) { try await client.send("GET key") }
        }
        try await server.close()
    }

    @Test func cancelledCallersLeaveTheConnectionInStep() async throws {
        try await withRedis { server in
            var configuration = try server.configuration
            configuration.commandTimeout = .seconds(20)
            try await withRedisClient(configuration) { client in
                server.suspend()
                let tasks = (0..<20).map { number in
                    Task { try await client.execute(RedisCommand("ECHO", "\(number)")) }
                }
                try await eventually("all commands are sent") { client.pendingCommandCount == 20 }
                for task in tasks where task != tasks.last { task.cancel() }
                for task in tasks.dropLast() {
                    await #expect(throws: RedisError.cancelled) { try await task.value }
                }
                server.resume()
                #expect(try await tasks[19].value.string == "19", "its own reply, not one of the cancelled")
                #expect(client.isReady)
            }
        }
    }

    @Test func queuesAreBounded() async throws {
        try await withRedis { server in
            var configuration = try server.configuration
            configuration.commandTimeout = .seconds(20)
            configuration.maximumPendingCommands = 10
            try await withRedisClient(configuration) { client in
                server.suspend()
                let room = 10 * client.connectionCount
                let tasks = (0..<room).map { _ in Task { try await client.send("PING") } }
                try await eventually("the queues are full") { client.pendingCommandCount == room }
                let (_, duration) = await timed {
                    await #expect(throws: RedisError.queueFull) { try await client.send("PING") }
                }
                #expect(duration < Self.failureLimit)
                server.resume()
                for task in tasks { #expect(try await task.value == .status("PONG")) }
            }
        }
    }
}
