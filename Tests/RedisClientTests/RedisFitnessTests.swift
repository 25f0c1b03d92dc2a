import Hiredis
import NIOPosix
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// A Redis that takes connections and is of no use is treated as one that is away, and not asked faster.
@Suite(.timeLimit(.minutes(6))) struct RedisFitnessTests {
    private static func send(_ line: String, to server: RedisServerProcess) async throws -> String {
        try await RawClient.ask(server.port, line + "\r\n") { $0.hasSuffix("\r\n") }
    }

    /// Connections that the server has accepted so far.
    private static func connections(of server: RedisServerProcess) async throws -> Int {
        let client = try await RawClient.connect(port: server.port)
        try await client.send("INFO stats\r\n")
        try await client.waits(for: "total_commands_processed")
        defer { Task { try? await client.close() } }
        let line = client.text.split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("total_connections_received:") }
        return try #require(line?.split(separator: ":").last.flatMap { Int($0) })
    }

    @Test func aDemotedRedisUnderLoadIsAskedMoreSlowlyAndLoggedOnce() async throws {
        try await withRedis { server in
            let log = KeptLog()
            var configuration = try server.configuration
            configuration.probe = [RedisCommand("SET", "probe", "1")]
            let client = try RedisClient(
                configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: log.logger)
            client.start()
            try await eventually("the client is ready") { client.isReady }
            let load = Task {
                while !Task.isCancelled {
                    _ = try? await client.send("INCR calls")
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            #expect(await client.unfitness() == nil)
            _ = try await Self.send("REPLICAOF 127.0.0.1 1", to: server)
            try await eventually("it is known that the server is of no use") {
                client.readyConnectionCount == 0 && client.lastFailure?.contains("READONLY") == true
            }
            #expect(await client.unfitness()?.contains("READONLY") == true)
            let before = try await Self.connections(of: server)
            // A stretch of time in which a loop without backoff makes hundreds of connections.
            try await Task.sleep(for: .seconds(4))
            let made = try await Self.connections(of: server) - before - 1
            #expect(made <= 30 * client.connectionCount, "\(made) connections")
            let unavailable = { log.lines.filter { $0.contains("redis unavailable") } }
            #expect(unavailable().count == 1, "\(unavailable())")
            #expect(unavailable().allSatisfy { $0.contains("READONLY") })

            _ = try await Self.send("REPLICAOF NO ONE", to: server)
            try await eventually("service is whole again", within: .seconds(5)) {
                await client.unfitness() == nil
            }
            load.cancel()
            await load.value
            #expect(unavailable().count == 1)
            #expect(log.lines.filter { $0.contains("redis connected") }.count == 2, "\(log.lines)")
            await client.shutDown()
        }
    }

    /// They answer PING, and keep the connection: what reads goes on. But nothing that writes does.
    @Test(arguments: [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
        ("ACL SETUSER \(RedisUsers.tested) -set", "ACL SETUSER \(RedisUsers.tested) +set", "NOPERM"),
    ])
    func aServerThatTakesNoWritesIsUnfit(command: String, remedy: String, reason: String) async throws {
        try await withRedis { server in
            var configuration = try server.patientConfiguration
            configuration.probe = [RedisCommand("SET", "worker:{probe}", "1")]
            try await withRedisClient(configuration) { client in
                #expect(await client.unfitness() == nil)
                try await client.send(command)
                let found = await client.unfitness()
                #expect(found?.contains(reason) == true, "\(found ?? "fit")")
                #expect(client.isReady && client.lastFailure == nil, "what is no fault of the server's is still done")
                try await client.send(remedy)
                #expect(await client.unfitness() == nil)
            }
        }
    }
}
