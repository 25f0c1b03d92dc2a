import Hiredis
import NIOCore
import NIOPosix
import NameResolution
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateDev

/// A Redis that is known by a name: one with several addresses, one that moves, one that no name server tells.
@Suite(.timeLimit(.minutes(6))) struct RedisAddressTests {
    private static func configuration(
        _ resolver: any NameResolver, port: Int, addressInterval: TimeAmount = .seconds(30)
    ) -> RedisClientConfiguration {
        RedisClientConfiguration(
            endpoint: RedisEndpoint(address: .tcp(host: "redis.example", port: port)), commandTimeout: .seconds(10),
            addressInterval: addressInterval, resolver: resolver)
    }

    /// The server listens at 127.0.0.1 alone.
    @Test(arguments: [["::1", "127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["::1", "127.0.0.2", "127.0.0.1"]])
    func aNameWhoseFirstAddressRefusesConnects(addresses: [String]) async throws {
        try await withRedis { server in
            let resolver = ManualResolver(try addresses.map { try SocketAddress(ipAddress: $0, port: server.port) })
            try await withRedisClient(Self.configuration(resolver, port: server.port)) { client in
                let stored = try await client.send("SET key value")
                #expect(stored == .status("OK"))
                #expect(client.isReady && client.lastFailure == nil)
            }
        }
    }

    @Test func aNameThatLeadsElsewhereIsFollowedWithoutLosingACommand() async throws {
        try await withTwoRedis { old, new in
            let resolver = ManualResolver([try SocketAddress(ipAddress: "127.0.0.1", port: old.port)])
            let configuration = Self.configuration(
                resolver, port: old.port, addressInterval: .milliseconds(50))
            try await withRedisClient(configuration) { client in
                resolver.answer([try SocketAddress(ipAddress: "127.0.0.1", port: new.port)])
                try await eventually("all connections lead to the other server") {
                    // Each of these has to be answered, by whichever server.
                    var ports: Set<String> = []
                    for _ in 1...client.connectionCount {
                        ports.insert(try await client.send("CONFIG GET port").array?.last?.string ?? "")
                    }
                    return ports == ["\(new.port)"]
                }
                #expect(client.isReady && client.lastFailure == nil)
            }
        }
    }

    @Test func aRedisThatMovedWhileItWasAwayIsFound() async throws {
        try await withTwoRedis { old, new in
            let resolver = ManualResolver([try SocketAddress(ipAddress: "127.0.0.1", port: old.port)])
            try await withRedisClient(Self.configuration(resolver, port: old.port)) { client in
                resolver.answer([try SocketAddress(ipAddress: "127.0.0.1", port: new.port)])
                await old.kill()
                try await eventually("the other server is found") {
                    (try? await client.send("CONFIG GET port"))?.array?.last?.string == "\(new.port)"
                }
            }
        }
    }

    /// As a managed service has a failover: the old primary turns into a replica, its name leads to the new one a moment
    /// later, and no command waits for the next look at the name.
    @Test func aPrimaryThatIsDemotedIsLeftForTheOneThatItsNameLeadsTo() async throws {
        try await withTwoRedis { old, new in
            let resolver = ManualResolver([try SocketAddress(ipAddress: "127.0.0.1", port: old.port)])
            var configuration = Self.configuration(resolver, port: old.port)
            configuration.probe = [RedisCommand("SET", "worker:{probe}", "1")]
            try await withRedisClient(configuration) { client in
                _ = try await withRedisClient(old.configuration) {
                    try await $0.send("REPLICAOF 127.0.0.1 \(new.port)")
                }
                await #expect(throws: RedisError.self) {
                    while true { try await client.send("SET worker:{key} value") }
                }
                try await eventually("the replica is known to be of no use") {
                    _ = try? await client.send("SET worker:{key} value")
                    return client.readyConnectionCount == 0
                }
                resolver.answer([try SocketAddress(ipAddress: "127.0.0.1", port: new.port)])
                try await eventually("all connections lead to the new primary", within: .seconds(5)) { client.isReady }
                try await client.send("SET worker:{key} value")
                let stored = try await withRedisClient(new.configuration) {
                    try await $0.send("GET worker:{key}").string
                }
                #expect(stored == "value")
            }
        }
    }

    @Test(.tags(.measuresTime)) func silentNameServersKeepNoAttemptAndNoShutdownWaiting() async throws {
        let resolver = ManualResolver(nil)
        var configuration = Self.configuration(resolver, port: 6379)
        configuration.connectTimeout = .milliseconds(100)
        try await withRedisClient(configuration, waitsUntilReady: false) { client in
            try await eventually("the reason is known") {
                client.lastFailure?.contains("redis.example was not resolved in time") == true
            }
            #expect(resolver.openLookups == 1, "one lookup, however many wait for it")
            let (_, duration) = await timed { await client.shutDown() }
            #expect(duration < .seconds(1))
        }
        resolver.end()
    }

    @Test func knownAddressesServeWhileNameServersAreSilent() async throws {
        try await withRedis { server in
            let resolver = ManualResolver([try SocketAddress(ipAddress: "127.0.0.1", port: server.port)])
            try await withRedisClient(Self.configuration(resolver, port: server.port)) { client in
                resolver.answer(nil)
                try await server.restart()
                try await eventually("service is whole again") { client.isReady }
                let answer = try await client.send("PING")
                #expect(answer == .status("PONG"))
            }
            resolver.end()
        }
    }

    @Test(.tags(.measuresTime), arguments: [ScriptedServer.Reaction.nothing, .hangUp])
    func aRedisThatNeverAnswersKeepsNoShutdownWaiting(reaction: ScriptedServer.Reaction) async throws {
        let server = try await ScriptedServer { _ in reaction }
        let endpoint = RedisEndpoint(address: .tcp(host: "localhost", port: server.port))
        try await withRedisClient(RedisClientConfiguration(endpoint: endpoint), waitsUntilReady: false) { client in
            try await eventually("an attempt has failed") {
                client.lastFailure?.contains("no attempt") == false
            }
            let (_, duration) = await timed { await client.shutDown() }
            #expect(duration < .seconds(2))
        }
        try await server.close()
    }
}

/// A resolver that says what the test wants; nothing, as long as there are no addresses.
private final class ManualResolver: NameResolver {
    private struct State {
        var addresses: [SocketAddress]?
        var open: [EventLoopPromise<[SocketAddress]>] = []
    }

    private struct Silent: Error {}

    private let state: Mutex<State>

    init(_ addresses: [SocketAddress]?) { state = Mutex(State(addresses: addresses)) }

    var openLookups: Int { state.withLock { $0.open.count } }

    func answer(_ addresses: [SocketAddress]?) { state.withLock { $0.addresses = addresses } }

    func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        state.withLock { state in
            if let addresses = state.addresses { return eventLoop.makeSucceededFuture(addresses) }
            let promise = eventLoop.makePromise(of: [SocketAddress].self)
            state.open.append(promise)
            return promise.futureResult
        }
    }

    /// The name servers give up.
    func end() {
        let open = state.withLock { state in
            defer { state.open = [] }
            return state.open
        }
        for promise in open { promise.fail(Silent()) }
    }
}
