import Logging
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A worker process as in production: `tollgate serve`, told everything by its environment.
final class Worker: Sendable {
    let process: ChildProcess

    /// The address of both its ports.
    let host: String
    let port: Int
    let adminPort: Int

    /// What it wrote until both its ports were open.
    let firstLines: [String]

    var backend: Balancer.Backend { (host, port, adminPort) }

    private init(process: ChildProcess, host: String, port: Int, adminPort: Int, firstLines: [String]) {
        self.process = process
        self.host = host
        self.port = port
        self.adminPort = adminPort
        self.firstLines = firstLines
    }

    /// The program, beside the tests that were built with it.
    static var program: String {
        let tests = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "tollgate").path
    }

    static func environment(redisURL: String, identity: DevelopmentIdentity) -> [String: String] {
        let environment = [
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "REDIS_URL": RedisUsers.loggedIn(redisURL),
            "CLERK_JWT_KEY": identity.publicKeyPEM,
            "CLERK_ISSUER": identity.issuer,
            "TOLLGATE_HOST": "127.0.0.1",
            "TOLLGATE_PORT": "0",
            "TOLLGATE_ADMIN_PORT": "0",
            "TOLLGATE_ADMIN_AUTH": "none",
            "TOLLGATE_THREADS": "2",
            "TOLLGATE_DRAIN_SECONDS": "0",
            "TOLLGATE_LOG_FORMAT": "text",
            "TOLLGATE_ACCESS_LOG": "off",
        ]
        // Where no time is measured, a machine that is busy with other tests may be slow.
        guard Test.current?.tags.contains(.measuresTime) != true else { return environment }
        return environment.merging(["REDIS_TIMEOUT_MS": "2000"]) { $1 }
    }

    /// Starts a worker and waits until both its ports are open.
    ///
    /// - Parameter descriptors: How many files and sockets it may have open. Nil for as many as we.
    static func start(
        environment: [String: String], arguments: [String] = [], descriptors: Int? = nil
    ) async throws -> Worker {
        let command =
            descriptors.map { ["/bin/bash", "-c", "ulimit -n \($0) && exec \"$0\" \"$@\"", program] } ?? [program]
        let process = try ChildProcess.start(
            command[0], command.dropFirst() + ["serve"] + arguments, environment: environment, output: .lines)
        var ports: [String: Int] = [:]
        var seen: [String] = []
        for await line in process.lines {
            seen.append(line)
            for (words, name) in [(/admin port open/, "admin"), (/[ "]serving/, "public")] where line.contains(words) {
                ports[name] = port(in: line)
            }
            if let port = ports["public"], let adminPort = ports["admin"] {
                return Worker(
                    process: process, host: environment["TOLLGATE_HOST"] ?? "127.0.0.1", port: port,
                    adminPort: adminPort, firstLines: seen)
            }
        }
        throw NeverHappened(description: "the worker did not start: \(seen.joined(separator: "\n"))")
    }

    /// Waits until the worker is ready.
    func becomesReady() async throws {
        try await eventually("the worker is ready", within: .seconds(20)) {
            try await HTTP.get("/readyz", port: adminPort).status == 200
        }
    }

    /// Waits until the worker is ready and serves.
    func serves(_ token: String, after event: String) async throws {
        try await eventually("full service after \(event)", within: .seconds(5)) {
            let ready = try await HTTP.get("/readyz", port: adminPort)
            guard ready.status == 200 else { return false }
            return try await HTTP.verify(token, port: port).status == 200
        }
    }

    /// The most memory that the worker has had resident so far, in bytes.
    func residentPeak() throws -> Int { try #require(process.residentPeak()) }

    /// In either format of lines.
    private static func port(in line: String) -> Int? {
        line.firstMatch(of: /address["=:]+[^ "]*:(\d+)/).flatMap { Int($0.1) }
    }
}

extension ChildProcess {
    /// The most memory that a process has had resident so far, in bytes (`VmHWM` in proc(5)). Nil when it has ended.
    func residentPeak() -> Int? {
        let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
}
