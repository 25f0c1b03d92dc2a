import Hiredis
import NIOCore
import NIOPosix
import RedisClient
import TestSupport
import Testing
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A Redis that hangs, is slow or far away: it costs its deadline the commands in flight, and about nothing those
/// after them.
@Suite(.timeLimit(.minutes(6)), .tags(.measuresTime)) struct RedisStallTests {
    /// What `CLIENT ID` says on each connection: the same as long as they are the same connections.
    private static func connections(of client: RedisClient) async throws -> Set<Int64> {
        var found: Set<Int64> = []
        for _ in 1...2 * client.connectionCount {
            if let id = try await client.send("CLIENT ID").integer { found.insert(id) }
        }
        return found
    }

    private static func error(of client: RedisClient, _ line: String) async -> RedisError? {
        do {
            _ = try await client.send(line)
            return nil
        } catch {
            return error as? RedisError
        }
    }

    /// Sends something on every connection, and waits until none of them is given commands any more.
    private static func stall(_ client: RedisClient) async throws {
        try await eventually("all connections have stalled") {
            _ = await error(of: client, "INCR stalled")
            return client.readyConnectionCount == 0
        }
    }

    @Test func whatComesWhileRedisHangsIsRefusedAtOnceAndNeverSent() async throws {
        try await withRedis { server in
            var configuration = try server.configuration
            configuration.commandTimeout = .seconds(2)
            try await withRedisClient(configuration) { client in
                let before = try await Self.connections(of: client)
                server.suspend()
                let inFlight = (1...10).map { _ in Task { await Self.error(of: client, "INCR calls") } }
                for task in inFlight { #expect(await task.value == .timedOut) }
                #expect(client.readyConnectionCount == 0)
                let (_, duration) = await timed {
                    for _ in 1...200 { #expect(await Self.error(of: client, "INCR calls") == .stalled) }
                }
                #expect(duration < .seconds(2), "200 calls one after the other: \(duration)")
                #expect(client.lastFailure?.contains("in time") == true)

                server.resume()
                try await eventually("service is normal", within: .seconds(1)) { client.isReady }
                #expect(try await client.send("GET calls").string == "10", "what was refused costs nothing")
                #expect(try await Self.connections(of: client) == before, "the connections are kept")
                #expect(client.lastFailure == nil)
            }
        }
    }

    /// Another connection is looked for and not found, so that only the one that hangs can be of use again.
    @Test func whatHangsForLongIsBackAtOnce() async throws {
        try await withRedis { server in
            let relay = try await LossyRelay()
            relay.lead(to: server.port)
            let log = KeptLog()
            var configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: "redis://127.0.0.1:\(relay.port)"))
            configuration.backoff = Backoff(firstMilliseconds: 50, maximumMilliseconds: 60_000)
            let client = try RedisClient(
                configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: log.logger)
            client.start()
            try await eventually("the client is ready") { client.isReady }
            let before = try await Self.connections(of: client)
            server.suspend()
            relay.lead(to: try await Loopback.freePort())
            try await Self.stall(client)
            try await eventually("another connection is tried, in vain", within: .seconds(20)) {
                client.lastFailure?.contains("Redis closed the connection") == true
            }
            server.resume()
            try await eventually("service is normal, whenever another attempt is due", within: .seconds(1)) {
                client.isReady
            }
            #expect(try await Self.connections(of: client) == before)
            #expect(log.lines.contains { $0.contains("redis unavailable") && $0.contains("did not answer in time") })
            try await eventually("the end is told") { log.lines.last?.contains("redis connected") == true }
            await client.shutDown()
            try await relay.close()
        }
    }

    @Test(.redisHasTLS, arguments: [false, true])
    func aConnectionThatIsDeadIsReplaced(usesTLS: Bool) async throws {
        try await withTLSRedis { directory, server, tlsPort in
            let relay = try await LossyRelay()
            relay.lead(to: usesTLS ? tlsPort : server.port)
            let configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: "\(usesTLS ? "rediss" : "redis")://localhost:\(relay.port)"),
                tls: try RedisClientConfiguration.tls(
                    authorityFile: directory + "/ca.crt", certificateFile: directory + "/client.crt",
                    keyFile: directory + "/client.key"))
            try await withRedisClient(configuration) { client in
                let connectionCount = relay.connectionCount
                relay.loseAnswers()
                try await Self.stall(client)
                relay.passAnswers()
                try await eventually("other connections stand", within: .seconds(4)) { client.isReady }
                #expect(await client.ping())
                try await eventually("nothing is left of the first ones", within: .seconds(2)) {
                    relay.connectionCount == connectionCount
                }
            }
            try await relay.close()
        }
    }

    @Test(.redisHasTLS) func shutdownDoesNotWaitForARedisThatHangs() async throws {
        try await withTLSRedis { directory, server, tlsPort in
            let relay = try await LossyRelay()
            relay.lead(to: tlsPort)
            let configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: "rediss://localhost:\(relay.port)"),
                tls: try RedisClientConfiguration.tls(
                    authorityFile: directory + "/ca.crt", certificateFile: directory + "/client.crt",
                    keyFile: directory + "/client.key"))
            try await withRedisClient(configuration) { client in
                server.suspend()
                let inFlight = Task { await Self.error(of: client, "PING") }
                try await eventually("it is sent") { client.pendingCommandCount == 1 }
                let (_, duration) = await timed { await client.shutDown() }
                #expect(duration < .seconds(1), "\(duration)")
                #expect(await inFlight.value == .timedOut)
                try await eventually("the goodbye of TLS is not waited for", within: .seconds(2)) {
                    relay.connectionCount == 0
                }
            }
            server.resume()
            try await relay.close()
        }
    }

    @Test func aPeerThatIsGoneIsNoticedWithoutACommand() async throws {
        try await withRedis { server in
            var configuration = try server.configuration
            configuration.idleInterval = .milliseconds(100)
            try await withRedisClient(configuration) { client in
                server.suspend()
                try await eventually("it is noticed") { client.readyConnectionCount == 0 }
                server.resume()
                try await eventually("service is normal", within: .seconds(1)) { client.isReady }
            }
        }
    }

    // MARK: Deadlines

    /// A loop that is busy for longer than Redis has for an answer: before the command leaves, and when its reply is
    /// there.
    @Test(arguments: [true, false])
    func whatOurOwnLoopTakesIsNotRedisDelay(beforeSending: Bool) async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                for _ in 1...3 {
                    let reply = try await client.call { link, identifier, waiter in
                        link.send(RedisCommand("PING"), identifier: identifier, waiter: waiter)
                        if beforeSending {
                            usleep(400_000)
                        } else {
                            link.eventLoop.execute { usleep(400_000) }
                        }
                    }
                    #expect(reply == .status("PONG"))
                }
                #expect(client.isReady)
            }
        }
    }

    /// A round trip of 190 ms, of 200 that Redis has for an answer: many callers at once do not make each other late.
    @Test func aFarRedisServesManyCallers() async throws {
        try await withRedis { server in
            let relay = try await LossyRelay(delay: .milliseconds(95))
            relay.lead(to: server.port)
            var configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: "redis://127.0.0.1:\(relay.port)"))
            configuration.connectTimeout = .seconds(5)
            try await withRedisClient(configuration) { client in
                let end = ContinuousClock.now + .seconds(4)
                let answered = await withTaskGroup(of: Int.self) { group in
                    for _ in 1...256 {
                        group.addTask {
                            var answered = 0
                            while ContinuousClock.now < end {
                                if await Self.error(of: client, "INCR calls") == nil {
                                    answered += 1
                                } else {
                                    try? await Task.sleep(for: .milliseconds(10))
                                }
                            }
                            return answered
                        }
                    }
                    return await group.reduce(0, +)
                }
                let charged = try await withRedisClient(server.configuration) { direct in
                    try await direct.send("GET calls").string.flatMap { Int($0) } ?? 0
                }
                #expect(answered > 256, "a call each is the least: \(answered)")
                #expect(charged - answered < charged / 2, "\(charged) charged, \(answered) answered")
            }
            try await relay.close()
        }
    }

    @Test func whatCannotLeaveIsRefused() async throws {
        try await withRedis { server in
            var configuration = try server.configuration
            configuration.commandTimeout = .seconds(20)
            try await withRedisClient(configuration) { client in
                server.suspend()
                let value = String(repeating: "x", count: 1 << 20)
                let tasks = (1...64).map { number in
                    Task { () -> RedisError? in
                        do throws(RedisError) {
                            _ = try await client.execute(RedisCommand("SET", "key\(number)", value))
                            return nil
                        } catch {
                            return error
                        }
                    }
                }
                try await eventually("all were taken or refused") {
                    // What the system's buffers hold, and little more.
                    (1..<48).contains(client.pendingCommandCount)
                }
                server.resume()
                var refused = 0
                for task in tasks {
                    guard let error = await task.value else { continue }
                    #expect(error == .queueFull)
                    refused += 1
                }
                #expect(refused > 0)
                let stored = try await client.send("DBSIZE").integer
                #expect(stored == Int64(64 - refused), "and what was refused is not carried out")
            }
        }
    }

    @Test func aCancelledPipelineLetsItsCallerGo() async throws {
        try await withRedis { server in
            var configuration = try server.configuration
            configuration.commandTimeout = .seconds(20)
            try await withRedisClient(configuration) { client in
                server.suspend()
                let pipeline = Task {
                    try await client.call { link, identifier, waiter in
                        var missing = 5
                        for _ in 1...5 {
                            link.send(RedisCommand("PING"), identifier: identifier) { result in
                                missing -= 1
                                if missing == 0 { waiter(result) }
                            }
                        }
                    }
                }
                try await eventually("it is sent") { client.pendingCommandCount == 5 }
                pipeline.cancel()
                await #expect(throws: RedisError.cancelled) { try await pipeline.value }
                server.resume()
                #expect(try await client.send("PING") == .status("PONG"))
            }
        }
    }
}
