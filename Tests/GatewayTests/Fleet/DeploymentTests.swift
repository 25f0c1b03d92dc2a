import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What stands in `deploy/`, put before the programs that it is for.
@Suite struct DeploymentTests {
    private static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test func haproxyAcceptsItsConfiguration() async throws {
        let (status, output) = try await run(
            "haproxy", ["-c", "-f", Self.package.appending(path: "deploy/balance/haproxy.cfg").path])
        #expect(status == .exited(0), "\(output)")
    }

    @Test func nginxAcceptsItsConfiguration() async throws {
        try await withTemporaryDirectory { directory in
            let file = Self.package.appending(path: "deploy/balance/nginx.conf").path
            let (status, output) = try await run(
                "nginx", ["-t", "-p", directory, "-c", file, "-e", "stderr", "-g", "pid \(directory)/pid;"])
            #expect(status == .exited(0), "\(output)")
        }
    }

    /// As a server alone, and as a node of a cluster. What counts for billing is asked for.
    @Test(arguments: [[], ["cluster.conf"]])
    func redisAcceptsItsConfiguration(files: [String]) async throws {
        let files = ["redis.conf"] + files
        let arguments = files.flatMap { ["--include", Self.package.appending(path: "deploy/redis/\($0)").path] }
        try await withTemporaryDirectory { directory in
            // The bus' port is 10,000 above the other one, where there may be none.
            let ports = files.count == 1 ? [] : ["--cluster-port", "\(try await Loopback.freePort())"]
            let redis = try await RedisServerProcess.start(
                directory: directory, persistence: .appendOnly, extraArguments: arguments + ports)
            do {
                try await withRedisClient(redis.configuration) { client in
                    for (name, value) in [
                        ("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction"),
                        ("min-replicas-to-write", "0"), ("save", ""),
                    ] {
                        let found = try await client.send("CONFIG GET \(name)").array?.last?.string
                        #expect(found == value, "\(name)")
                    }
                    let isNode = try await client.send("INFO cluster").string?.contains("cluster_enabled:1")
                    #expect(isNode == (files.count > 1))
                }
            } catch {
                await redis.stop()
                throw error
            }
            await redis.stop()
        }
    }

    /// Every profile of docker-compose.yml tells the workers where their Redis is.
    @Test(arguments: ["single", "ha", "cluster"])
    func theWorkersOfAProfileAreToldWhereRedisIs(profile: String) throws {
        let file = Self.package.appending(path: "deploy/redis/workers-\(profile).env")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let url = try #require(lines.first { $0.hasPrefix("REDIS_URL=") }?.dropFirst("REDIS_URL=".count))
        switch (profile, try RedisEndpoint(url: String(url)).address) {
        case ("single", .tcp), ("ha", .sentinels), ("cluster", .cluster): break
        case (_, let address): Issue.record("\(profile): \(address)")
        }
    }

    /// Every variable that the example names is a setting, or one of compose's own.
    @Test func theExampleOfTheEnvironmentNamesSettings() async throws {
        let text = try String(contentsOf: Self.package.appending(path: "deploy/env.example"), encoding: .utf8)
        let names = text.split(separator: "\n").compactMap { line -> Substring? in
            let name = line.drop { $0 == "#" }.prefix { $0.isUppercase || $0 == "_" }
            return line.dropFirst(line.first == "#" ? 1 : 0).dropFirst(name.count).first == "=" ? name : nil
        }
        #expect(names.count > 10)
        let (_, listing) = try await run(
            Worker.program, ["check-config"],
            environment: [
                "REDIS_URL": "redis://localhost", "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k",
            ])
        let ofCompose: [Substring] = ["TOLLGATE_PUBLIC_PORT", "TOLLGATE_OVERVIEW_PORT", "COMPOSE_PROFILES"]
        for name in names where !ofCompose.contains(name) {
            #expect(listing.contains("\(name) "), "\(name) is no setting")
        }
    }

    private func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (ChildProcess.ExitStatus, String) {
        let process = try ChildProcess.start(
            program, arguments, environment: environment.merging(["PATH": "/usr/sbin:/usr/bin:/bin"]) { $1 },
            output: .lines)
        var output = ""
        for await line in process.lines { output += line + "\n" }
        return (await process.wait(), output)
    }
}
