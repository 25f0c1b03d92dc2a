import TestSupport
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// HAProxy with the configuration that is deployed, before workers of this machine.
struct Balancer {
    let port: Int

    /// Where it leads to the workers' admin ports.
    let overviewPort: Int

    /// Where a worker listens: its public and its admin port.
    typealias Backend = (port: Int, adminPort: Int)

    private static let configuration = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "deploy/haproxy.cfg")

    /// Runs `body` with a balancer of its own.
    static func run<Result>(
        before workers: [Backend], isolation: isolated (any Actor)? = #isolation,
        _ body: (Balancer) async throws -> Result
    ) async throws -> Result {
        let file = "/tmp/tg-balancer-\(UInt32.random(in: 0...UInt32.max)).cfg"
        try text(for: workers).write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let (port, overviewPort) = (try await Loopback.freePort(), try await Loopback.freePort())
        let process = try ChildProcess.start(
            "haproxy", ["-db", "-f", file],
            environment: [
                "PATH": "/usr/sbin:/usr/bin:/bin", "BALANCER_PORT": "\(port)",
                "OVERVIEW_PORT": "\(overviewPort)",
            ], output: .lines)
        // Somebody has to read what it says, or it waits.
        let listener = Task { for await _ in process.lines {} }
        defer { listener.cancel() }
        do {
            try await eventually("the balancer answers") {
                (try? await HTTP.get("/health", port: port).status) == 200
            }
            let result = try await body(Balancer(port: port, overviewPort: overviewPort))
            await process.terminate()
            return result
        } catch {
            await process.terminate()
            throw error
        }
    }

    /// The deployed configuration with workers named one by one, where DNS would find them.
    private static func text(for workers: [Backend]) throws -> String {
        let deployed = try String(contentsOf: configuration, encoding: .utf8)
        var lines: [String] = []
        var replaced = 0
        for line in deployed.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("    server-template ") {
                let isAdmin = line.hasPrefix("    server-template admin ")
                lines += workers.enumerated().map { index, worker in
                    "    server worker\(index + 1) 127.0.0.1:\(isAdmin ? worker.adminPort : worker.port) check port "
                        + "\(worker.adminPort)"
                }
                replaced += 1
            } else {
                lines.append(line)
            }
        }
        guard replaced == 2 else { throw NeverHappened(description: "deploy/haproxy.cfg has another form") }
        return lines.joined(separator: "\n")
    }
}
