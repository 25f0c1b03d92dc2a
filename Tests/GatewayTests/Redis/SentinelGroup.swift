import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
import Glibc
#else
import Foundation
#endif

/// A primary, its replicas, and three sentinels that watch them; real processes, all ended afterwards.
final class SentinelProcesses: Sendable {
    static let primaryName = "mymaster"

    let primary: RedisServerProcess

    /// The first one takes the primary's place.
    let replicas: [RedisServerProcess]

    /// Where the certificates are, where TLS is spoken.
    private let certificates: String?

    /// Each with the port that it listens on.
    let sentinels: [(process: ChildProcess, port: Int)]

    private init(
        primary: RedisServerProcess, replicas: [RedisServerProcess], certificates: String?,
        sentinels: [(process: ChildProcess, port: Int)]
    ) {
        self.certificates = certificates
        self.primary = primary
        self.replicas = replicas
        self.sentinels = sentinels
    }

    var replica: RedisServerProcess { replicas[0] }

    /// What a worker is told.
    func url(sentinels count: Int = 3, login: String = "") -> String {
        let places = sentinels.prefix(count).map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        let scheme = certificates == nil ? "redis-sentinel" : "rediss-sentinel"
        return "\(scheme)://\(login)\(places)/\(Self.primaryName)"
    }

    /// - Parameters:
    ///   - password: Of both servers. Nil for none.
    ///   - sentinelPassword: Of the sentinels. Nil for none.
    ///   - certificates: Where those of ``TestCertificates`` are: then all of them speak TLS, and name each other
    ///     `localhost`. Nil for plain text.
    ///   - hasDeployedUsers: Whether all programs log in as a user of `deploy/redis`, the tests excepted.
    ///   - replicaCount: How many replicas the primary has.
    ///   - serverArguments: Of primary and replicas.
    ///   - relay: Stands between the primary and its replicas. Sentinels are slow to set that right, then.
    static func run(
        isolation: isolated (any Actor)? = #isolation, password: String? = nil, sentinelPassword: String? = nil,
        certificates: String? = nil, hasDeployedUsers: Bool = false, replicaCount: Int = 1,
        serverArguments: [String] = [], relay: LossyRelay? = nil, _ body: (SentinelProcesses) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            var arguments = serverArguments + (password.map { ["--requirepass", $0, "--masterauth", $0] } ?? [])
            if hasDeployedUsers {
                arguments += try RedisUsers.arguments(in: directory)
                arguments += ["--masteruser", "replica", "--masterauth", RedisUsers.password]
            }
            let users = hasDeployedUsers ? try sentinelUsers(in: directory) : []
            var tls: (ports: [Int], arguments: [[String]])?
            if let certificates {
                var ports: [Int] = []
                for _ in 0...replicaCount { ports.append(try await Loopback.freePort()) }
                tls = (
                    ports,
                    ports.map {
                        TestCertificates.arguments(in: certificates, port: $0) + [
                            "--tls-replication", "yes", "--replica-announce-ip", "localhost",
                        ]
                    }
                )
            }
            let primary = try await RedisServerProcess.start(
                directory: directory + "/p", extraArguments: arguments + (tls?.arguments[0] ?? []))
            relay?.lead(to: primary.port)
            let place = tls.map { ["localhost", "\($0.ports[0])"] } ?? ["127.0.0.1", "\(primary.port)"]
            let source = relay.map { ["127.0.0.1", "\($0.port)"] } ?? place
            var replicas: [RedisServerProcess] = []
            var sentinels: [(process: ChildProcess, port: Int)] = []
            do {
                for number in 0..<replicaCount {
                    replicas.append(
                        try await RedisServerProcess.start(
                            directory: directory + "/r\(number)",
                            extraArguments: arguments + (tls?.arguments[number + 1] ?? []) + ["--replicaof"] + source
                                + [
                                    "--repl-diskless-sync-delay", "0", "--replica-priority", "\(number + 1)",
                                ]))
                }
                for number in 1...3 {
                    let port = try await Loopback.freePort()
                    let file = directory + "/sentinel-\(number).conf"
                    try configuration(
                        port: port, primary: place, certificates: certificates, password: password,
                        sentinelPassword: sentinelPassword, failoverTimeout: relay == nil ? 3000 : 60_000, users: users
                    ).write(toFile: file, atomically: true, encoding: .utf8)
                    let process = try ChildProcess.start(
                        RedisServerProcess.program, [file, "--sentinel"],
                        environment: ["PATH": "/usr/bin:/usr/local/bin"])
                    sentinels.append((process, port))
                }
                let group = SentinelProcesses(
                    primary: primary, replicas: replicas, certificates: certificates, sentinels: sentinels)
                try await group.isComplete(password.map { ":\($0)@" } ?? "", sentinelPassword)
                try await body(group)
            } catch {
                await end([primary] + replicas, sentinels)
                throw error
            }
            await end([primary] + replicas, sentinels)
        }
    }

    private static func end(
        _ servers: [RedisServerProcess], _ sentinels: [(process: ChildProcess, port: Int)]
    ) async {
        for sentinel in sentinels {
            sentinel.process.signal(SIGCONT)
            await sentinel.process.terminate()
        }
        for server in servers.reversed() { await server.stop() }
    }

    /// How sentinels log in to Redis and to each other, and who may at them.
    private static func sentinelUsers(in directory: String) throws -> [String] {
        let file = try RedisUsers.arguments(file: RedisUsers.deployedSentinelFile, in: directory + "/sentinels")[1]
        return [
            "aclfile \(file)", "sentinel sentinel-user sentinel", "sentinel sentinel-pass \(RedisUsers.password)",
            "sentinel auth-user \(primaryName) sentinel", "sentinel auth-pass \(primaryName) \(RedisUsers.password)",
        ]
    }

    private static func configuration(
        port: Int, primary: [String], certificates: String?, password: String?, sentinelPassword: String?,
        failoverTimeout: Int, users: [String]
    ) -> String {
        let tls = certificates.map { directory in
            [
                "port 0", "tls-port \(port)", "tls-replication yes", "tls-auth-clients yes",
                "tls-cert-file \(directory)/server.crt", "tls-key-file \(directory)/server.key",
                "tls-ca-cert-file \(directory)/ca.crt", "sentinel resolve-hostnames yes",
                "sentinel announce-hostnames yes", "sentinel announce-ip localhost",
            ]
        }
        let lines =
            (tls ?? ["port \(port)"]) + [
                "bind 127.0.0.1 -::1", "logfile \"\"",
                "sentinel monitor \(primaryName) \(primary.joined(separator: " ")) 2",
                "sentinel down-after-milliseconds \(primaryName) 500",
                "sentinel failover-timeout \(primaryName) \(failoverTimeout)",
            ] + (password.map { ["sentinel auth-pass \(primaryName) \($0)"] } ?? [])
            + (sentinelPassword.map { ["requirepass \($0)", "sentinel sentinel-pass \($0)"] } ?? []) + users
        return lines.joined(separator: "\n") + "\n"
    }

    /// Waits until each sentinel knows of the others and of the replicas, and those have all that there is: only then
    /// can they decide.
    private func isComplete(_ login: String, _ password: String?) async throws {
        for replica in replicas {
            let endpoint = try RedisEndpoint(url: "redis://\(login)127.0.0.1:\(replica.port)")
            let configuration = RedisClientConfiguration(endpoint: endpoint, commandTimeout: .seconds(5))
            try await withRedisClient(configuration) { client in
                try await eventually("the replica is in step") {
                    (try? await client.send("INFO replication"))?.string?.contains("master_link_status:up") == true
                }
            }
        }
        for sentinel in sentinels { try await paces(sentinel.port, password, publish: 100, info: 100) }
        for sentinel in sentinels {
            try await eventually("the sentinels know each other") {
                let facts = try? await self.master(at: sentinel.port, password)
                return facts?["num-other-sentinels"] == "2" && facts?["num-slaves"] == "\(replicas.count)"
            }
        }
        for sentinel in sentinels { try await paces(sentinel.port, password, publish: 2000, info: 10_000) }
    }

    /// Sets how often a sentinel tells the others of itself and asks servers who they are, in milliseconds.
    private func paces(_ port: Int, _ password: String?, publish: Int, info: Int) async throws {
        try await eventually("the sentinel takes its pace") {
            let command = "SENTINEL DEBUG PUBLISH-PERIOD \(publish) INFO-PERIOD \(info)"
            return (try? await self.ask(port, password, command)) == .status("OK")
        }
    }

    /// What the sentinel at `port` says of the primary.
    func master(at port: Int, _ password: String? = nil) async throws -> [String: String] {
        let reply = try await ask(port, password, "SENTINEL MASTER \(Self.primaryName)")
        let texts = reply.array?.map { $0.string ?? "" } ?? []
        var facts: [String: String] = [:]
        for index in stride(from: 0, to: texts.count - 1, by: 2) { facts[texts[index]] = texts[index + 1] }
        return facts
    }

    /// One command for the sentinel at `port`.
    private func ask(_ port: Int, _ password: String?, _ line: String) async throws -> RedisReply {
        let login = password.map { ":\($0)@" } ?? ""
        let tls = try certificates.map {
            try RedisClientConfiguration.tls(
                authorityFile: $0 + "/ca.crt", certificateFile: $0 + "/client.crt", keyFile: $0 + "/client.key")
        }
        let scheme = tls == nil ? "redis" : "rediss"
        let configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "\(scheme)://\(login)localhost:\(port)"), tls: tls,
            commandTimeout: .seconds(5))
        return try await withRedisClient(configuration) { try await $0.send(line) }
    }

    /// Waits until those of the sentinels tell the new primary.
    func isSwitched(at places: some Sequence<(process: ChildProcess, port: Int)>) async throws {
        for sentinel in places {
            try await eventually("the sentinels tell the new primary", within: .seconds(30)) {
                try await self.master(at: sentinel.port)["port"] == "\(self.replica.port)"
            }
        }
    }

    /// Waits until a sentinel tells the new primary, which takes writes by then. In plain text.
    func announcement(_ password: String? = nil) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for sentinel in sentinels { tasks.addTask { try await self.announcement(at: sentinel.port, password) } }
            _ = try await tasks.next()
            tasks.cancelAll()
        }
    }

    private func announcement(at port: Int, _ password: String?) async throws {
        let login = password.map { ":\($0)@" } ?? ""
        let configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "redis://\(login)127.0.0.1:\(port)"), commandTimeout: .seconds(5))
        try await withRedisClient(configuration) { client in
            try await eventually("the sentinel tells the new primary", within: .seconds(30)) {
                let reply = try? await client.send("SENTINEL GET-MASTER-ADDR-BY-NAME \(Self.primaryName)")
                return reply?.array?.last?.string == "\(self.replica.port)"
            }
        }
    }

    /// Waits until the replica takes writes, and gives the moment.
    func promotion(login: String = "") async throws -> ContinuousClock.Instant {
        let configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "redis://\(login)127.0.0.1:\(replica.port)"), commandTimeout: .seconds(5))
        try await withRedisClient(configuration) { client in
            try await eventually("the replica was promoted", within: .seconds(30)) {
                // Its connections are closed as its role changes.
                (try? await client.send("ROLE"))?.array?.first?.string == "master"
            }
        }
        return .now
    }
}
