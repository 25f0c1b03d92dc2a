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

/// A primary, its replica, and three sentinels that watch them; real processes, all ended afterwards.
final class SentinelProcesses: Sendable {
    static let primaryName = "mymaster"

    let primary: RedisServerProcess
    let replica: RedisServerProcess

    /// Where the certificates are, where TLS is spoken.
    private let certificates: String?

    /// Each with the port that it listens on.
    let sentinels: [(process: ChildProcess, port: Int)]

    private init(
        primary: RedisServerProcess, replica: RedisServerProcess, certificates: String?,
        sentinels: [(process: ChildProcess, port: Int)]
    ) {
        self.certificates = certificates
        self.primary = primary
        self.replica = replica
        self.sentinels = sentinels
    }

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
    ///   - hasDeployedUsers: Whether everybody logs in as a user of `deploy/redis`, the tests excepted.
    static func run(
        isolation: isolated (any Actor)? = #isolation, password: String? = nil, sentinelPassword: String? = nil,
        certificates: String? = nil, hasDeployedUsers: Bool = false,
        _ body: (SentinelProcesses) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            var login = password.map { ["--requirepass", $0, "--masterauth", $0] } ?? []
            if hasDeployedUsers {
                login = try RedisUsers.arguments(in: directory)
                login += ["--masteruser", "replica", "--masterauth", RedisUsers.password]
            }
            let users = hasDeployedUsers ? try sentinelUsers(in: directory) : []
            var tls: (ports: [Int], arguments: [[String]])?
            if let certificates {
                let ports = [try await Loopback.freePort(), try await Loopback.freePort()]
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
                directory: directory + "/p", extraArguments: login + (tls?.arguments[0] ?? []))
            let place = tls.map { ["localhost", "\($0.ports[0])"] } ?? ["127.0.0.1", "\(primary.port)"]
            let replica = try await RedisServerProcess.start(
                directory: directory + "/r",
                extraArguments: login + (tls?.arguments[1] ?? []) + ["--replicaof"] + place + [
                    "--repl-diskless-sync-delay", "0",
                ])
            var sentinels: [(process: ChildProcess, port: Int)] = []
            do {
                for number in 1...3 {
                    let port = try await Loopback.freePort()
                    let file = directory + "/sentinel-\(number).conf"
                    try configuration(
                        port: port, primary: place, certificates: certificates, password: password,
                        sentinelPassword: sentinelPassword,
                        users: users
                    ).write(toFile: file, atomically: true, encoding: .utf8)
                    let process = try ChildProcess.start(
                        RedisServerProcess.program, [file, "--sentinel"],
                        environment: ["PATH": "/usr/bin:/usr/local/bin"])
                    sentinels.append((process, port))
                }
                let group = SentinelProcesses(
                    primary: primary, replica: replica, certificates: certificates, sentinels: sentinels)
                try await group.isComplete(password.map { ":\($0)@" } ?? "", sentinelPassword)
                try await body(group)
            } catch {
                await end(primary, replica, sentinels)
                throw error
            }
            await end(primary, replica, sentinels)
        }
    }

    private static func end(
        _ primary: RedisServerProcess, _ replica: RedisServerProcess, _ sentinels: [(process: ChildProcess, port: Int)]
    ) async {
        for sentinel in sentinels {
            sentinel.process.signal(SIGCONT)
            await sentinel.process.terminate()
        }
        await replica.stop()
        await primary.stop()
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
        users: [String]
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
                "sentinel failover-timeout \(primaryName) 3000",
            ] + (password.map { ["sentinel auth-pass \(primaryName) \($0)"] } ?? [])
            + (sentinelPassword.map { ["requirepass \($0)", "sentinel sentinel-pass \($0)"] } ?? []) + users
        return lines.joined(separator: "\n") + "\n"
    }

    /// Waits until each sentinel knows of the others and of the replica, and the replica has all that there is: only then
    /// can they decide.
    private func isComplete(_ login: String, _ password: String?) async throws {
        let configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "redis://\(login)127.0.0.1:\(replica.port)"), commandTimeout: .seconds(5))
        try await withRedisClient(configuration) { client in
            try await eventually("the replica is in step") {
                (try? await client.send("INFO replication"))?.string?.contains("master_link_status:up") == true
            }
        }
        for sentinel in sentinels {
            try await eventually("the sentinels know each other") {
                let facts = try? await self.master(at: sentinel.port, password)
                return facts?["num-other-sentinels"] == "2" && facts?["num-slaves"] == "1"
            }
        }
    }

    /// What the sentinel at `port` says of the primary.
    func master(at port: Int, _ password: String? = nil) async throws -> [String: String] {
        let login = password.map { ":\($0)@" } ?? ""
        let tls = try certificates.map {
            try RedisClientConfiguration.tls(
                authorityFile: $0 + "/ca.crt", certificateFile: $0 + "/client.crt", keyFile: $0 + "/client.key")
        }
        let scheme = tls == nil ? "redis" : "rediss"
        let configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "\(scheme)://\(login)localhost:\(port)"), tls: tls,
            commandTimeout: .seconds(5))
        var facts: [String: String] = [:]
        try await withRedisClient(configuration) { client in
            let reply = try await client.send("SENTINEL MASTER \(Self.primaryName)")
            let texts = reply.array?.map { $0.string ?? "" } ?? []
            for index in stride(from: 0, to: texts.count - 1, by: 2) { facts[texts[index]] = texts[index + 1] }
        }
        return facts
    }

    /// Waits until those of the sentinels tell the new primary.
    func isSwitched(at places: some Sequence<(process: ChildProcess, port: Int)>) async throws {
        for sentinel in places {
            try await eventually("the sentinels tell the new primary", within: .seconds(30)) {
                try await self.master(at: sentinel.port)["port"] == "\(self.replica.port)"
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
