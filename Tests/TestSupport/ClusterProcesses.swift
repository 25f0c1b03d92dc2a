package import Hiredis
package import NIOCore
package import RedisClient
import Testing
package import TollgateDev

/// A Redis Cluster of real processes: primaries which keep a part of the slots each, and replicas. All are ended
/// afterwards.
package final class ClusterProcesses: Sendable {
    /// Primaries first, then the replicas in the same order, as often as it was asked for.
    package let servers: [RedisServerProcess]
    package let primaryCount: Int
    private let login: String
    private let scheme: String
    private let ports: [Int]

    private init(
        servers: [RedisServerProcess], primaryCount: Int, login: String, usesTLS: Bool, ports: [Int]
    ) {
        self.servers = servers
        self.primaryCount = primaryCount
        self.login = login
        scheme = usesTLS ? "rediss-cluster" : "redis-cluster"
        self.ports = ports
    }

    package var primaries: ArraySlice<RedisServerProcess> { servers[..<primaryCount] }
    package var replicas: ArraySlice<RedisServerProcess> { servers[primaryCount...] }

    /// What a worker is told: where some of the servers are.
    package func url(servers count: Int = 2) -> String {
        "\(scheme)://\(login)" + ports.prefix(count).map { "127.0.0.1:\($0)" }.joined(separator: ",")
    }

    /// - Parameters:
    ///   - replicas: Of each primary.
    ///   - persistence: Whether servers keep their data over a restart. What they know of each other they always keep.
    ///   - extraArguments: Of each server; told its number.
    ///   - login: `user:password@` of all clients, as in a URL.
    ///   - tlsPorts: The port of each server for TLS. Nil when it is the plain one that counts.
    package static func run<Result>(
        isolation: isolated (any Actor)? = #isolation, primaries: Int = 3, replicas: Int = 0,
        persistence: RedisServerProcess.Persistence = .none, login: String = "", tlsPorts: [Int]? = nil,
        extraArguments: (_ number: Int) -> [String] = { _ in [] }, _ body: (ClusterProcesses) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryDirectory { directory in
            var servers: [RedisServerProcess] = []
            do {
                // By default it is 10,000 above the other one, where there may be none.
                var busPorts: [Int] = []
                for number in 0..<primaries * (1 + replicas) {
                    busPorts.append(try await Loopback.freePort())
                    servers.append(
                        try await RedisServerProcess.start(
                            directory: directory + "/\(number)", persistence: persistence,
                            extraArguments: [
                                "--cluster-enabled", "yes", "--cluster-port", "\(busPorts[number])",
                                "--cluster-node-timeout", "1000",
                                "--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0",
                            ] + extraArguments(number)))
                }
                let cluster = ClusterProcesses(
                    servers: servers, primaryCount: primaries, login: login, usesTLS: tlsPorts != nil,
                    ports: tlsPorts ?? servers.map(\.port))
                try await cluster.form(busPorts)
                let result = try await body(cluster)
                for server in servers { await end(server) }
                return result
            } catch {
                for server in servers { await end(server) }
                throw error
            }
        }
    }

    private static func end(_ server: RedisServerProcess) async {
        server.resume()
        await server.kill()
    }

    /// Gives each primary its part of the slots, and each replica its primary.
    private func form(_ busPorts: [Int]) async throws {
        for (place, server) in primaries.enumerated() {
            let (first, end) = (16_384 * place / primaryCount, 16_384 * (place + 1) / primaryCount)
            try await ask(server, "CLUSTER ADDSLOTSRANGE \(first) \(end - 1)")
            try await ask(server, "CLUSTER SET-CONFIG-EPOCH \(place + 1)")
        }
        for (server, busPort) in zip(servers, busPorts).dropFirst() {
            try await ask(servers[0], "CLUSTER MEET 127.0.0.1 \(server.port) \(busPort)")
        }
        try await agree(knowing: servers.count)
        for (place, replica) in replicas.enumerated() {
            let primary = try await id(of: servers[place % primaryCount])
            try await eventually("the replica knows its primary") {
                (try? await ask(replica, "CLUSTER REPLICATE \(primary)")) == .status("OK")
            }
        }
        for replica in replicas {
            try await eventually("the replica is in step", within: .seconds(30)) {
                try await ask(replica, "INFO replication").string?.contains("master_link_status:up") == true
            }
        }
        try await agree(knowing: servers.count)
        try await eventually("all know the replicas", within: .seconds(30)) {
            for server in servers {
                let nodes = try await ask(server, "CLUSTER NODES").string ?? ""
                if nodes.components(of: "slave ") < replicas.count { return false }
            }
            return true
        }
    }

    /// Waits until each of `servers` knows so many, and all slots are kept.
    package func agree(knowing count: Int, _ servers: [RedisServerProcess]? = nil) async throws {
        for server in servers ?? self.servers {
            try await eventually("the servers of the cluster know each other", within: .seconds(30)) {
                let text = try await ask(server, "CLUSTER INFO").string ?? ""
                return text.contains("cluster_state:ok") && text.contains("cluster_known_nodes:\(count)\r\n")
            }
        }
    }

    /// Asks one server, in plain text.
    @discardableResult
    package func ask(_ server: RedisServerProcess, _ line: String) async throws -> RedisReply {
        var configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "redis://\(login)127.0.0.1:\(server.port)"))
        configuration.commandTimeout = .seconds(10)
        return try await withRedisClient(configuration) { try await $0.send(line) }
    }

    package func id(of server: RedisServerProcess) async throws -> String {
        try #require(try await ask(server, "CLUSTER MYID").string)
    }

    /// A client of the whole cluster.
    package func withClient<Result>(
        isolation: isolated (any Actor)? = #isolation, timeout: TimeAmount = .seconds(5),
        _ body: (RedisClient) async throws -> Result
    ) async throws -> Result {
        var configuration = RedisClientConfiguration(endpoint: try RedisEndpoint(url: url()))
        configuration.commandTimeout = timeout
        return try await withRedisClient(configuration, body)
    }

    /// Which of the servers keeps `slot`, as the first one that answers says.
    package func owner(of slot: Int) async throws -> RedisServerProcess {
        for server in servers {
            guard let shards = try? await ask(server, "CLUSTER SLOTS").array else { continue }
            for shard in shards {
                let parts = shard.array ?? []
                guard let first = parts[0].integer, let last = parts[1].integer, (first...last).contains(Int64(slot)),
                    let port = parts[2].array?[1].integer
                else { continue }
                return try #require(servers.first { $0.port == Int(port) || ports[servers.firstIndex(of: $0)] == port })
            }
        }
        throw NeverHappened(description: "no server keeps slot \(slot)")
    }
}

extension ClusterProcesses {
    /// A slot on its way from one server to another, in the classical way: step by step.
    package struct Migration: Sendable {
        package let slot: Int
        package let source: RedisServerProcess
        package let target: RedisServerProcess
        fileprivate let sourceID: String
        fileprivate let targetID: String
    }

    /// Announces the move: from now on some keys may be here and some there.
    package func beginMoving(
        slot: Int, from source: RedisServerProcess, to target: RedisServerProcess
    ) async throws -> Migration {
        let migration = Migration(
            slot: slot, source: source, target: target, sourceID: try await id(of: source),
            targetID: try await id(of: target))
        try await ask(target, "CLUSTER SETSLOT \(slot) IMPORTING \(migration.sourceID)")
        try await ask(source, "CLUSTER SETSLOT \(slot) MIGRATING \(migration.targetID)")
        return migration
    }

    /// Moves up to `count` keys.
    ///
    /// - Returns: How many were moved.
    @discardableResult
    package func moveKeys(_ migration: Migration, count: Int = 100) async throws -> Int {
        let reply = try await ask(migration.source, "CLUSTER GETKEYSINSLOT \(migration.slot) \(count)")
        let keys = (reply.array ?? []).compactMap(\.string)
        guard !keys.isEmpty else { return 0 }
        let login = login.dropLast().split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var command = RedisCommand("MIGRATE", "127.0.0.1", "\(migration.target.port)", "", "0", "5000")
        if login.count == 2 { for word in ["AUTH2"] + login { command.append(word) } }
        command.append("KEYS")
        for key in keys { command.append(key) }
        var configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "redis://\(self.login)127.0.0.1:\(migration.source.port)"))
        configuration.commandTimeout = .seconds(10)
        let answer = try await withRedisClient(configuration) { [command] in try await $0.execute(command) }
        guard answer == .status("OK") || answer == .status("NOKEY") else {
            throw NeverHappened(description: "MIGRATE answered \(answer)")
        }
        return keys.count
    }

    /// The slot has arrived.
    package func endMoving(_ migration: Migration) async throws {
        for server in [migration.target, migration.source] {
            try await ask(server, "CLUSTER SETSLOT \(migration.slot) NODE \(migration.targetID)")
        }
    }

    /// The whole of it.
    package func move(slot: Int, from source: RedisServerProcess, to target: RedisServerProcess) async throws {
        let migration = try await beginMoving(slot: slot, from: source, to: target)
        while try await moveKeys(migration) > 0 {}
        try await endMoving(migration)
    }
}

extension String {
    fileprivate func components(of separator: String) -> Int { ranges(of: separator).count }
}

extension [RedisServerProcess] {
    fileprivate func firstIndex(of server: RedisServerProcess) -> Int { firstIndex { $0 === server } ?? 0 }
}
