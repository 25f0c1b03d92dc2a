import TestSupport
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A real load balancer with the configuration that is deployed for it, before workers of this machine.
struct Balancer {
    enum Program: String, CaseIterable, Sendable {
        case haproxy, nginx, caddy, traefik, envoy

        fileprivate var file: String {
            switch self {
            case .haproxy: "haproxy.cfg"
            case .nginx: "nginx.conf"
            case .caddy: "Caddyfile"
            case .traefik: "traefik.yml"
            case .envoy: "envoy.yaml"
            }
        }
    }

    let port: Int

    /// Where HAProxy leads to the workers' admin ports.
    let overviewPort: Int

    /// Where a worker listens: its public and its admin port.
    typealias Backend = (host: String, port: Int, adminPort: Int)

    /// Runs `body` with a balancer of its own.
    ///
    /// - Parameter workers: For HAProxy anywhere; for the others three with the same two ports.
    static func run<Result>(
        _ program: Program = .haproxy, before workers: [Backend], isPatient: Bool = false,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (Balancer) async throws -> Result
    ) async throws -> Result {
        let directory = "/tmp/tg-balancer-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = "\(directory)/\(program.file)"
        let (port, overviewPort) = (try await Loopback.freePort(), try await Loopback.freePort())
        let deployed = try text(program, before: workers, port: port)
        try (isPatient ? Self.patient(deployed) : deployed).write(toFile: file, atomically: true, encoding: .utf8)
        let process = try ChildProcess.start(
            ProxyProgram.path(program.rawValue),
            ProxyProgram.arguments(program.rawValue, file, directory, port: port),
            environment: [
                "PATH": ProxyProgram.searchPath, "HOME": directory, "BALANCER_PORT": "\(port)",
                "OVERVIEW_PORT": "\(overviewPort)",
            ], output: .lines)
        // A program whose words are not read waits.
        let listener = Task { for await _ in process.lines {} }
        defer { listener.cancel() }
        do {
            try await eventually("\(program) answers") {
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

    /// The deployed configuration, for these workers.
    private static func text(_ program: Program, before workers: [Backend], port: Int) throws -> String {
        let url = ProxyProgram.deploy.appending(path: "balance/\(program.file)")
        let deployed = try String(contentsOf: url, encoding: .utf8)
        if program == .haproxy { return try naming(workers, in: deployed) }
        guard workers.count == 3, Set(workers.map(\.port)).count == 1, Set(workers.map(\.adminPort)).count == 1 else {
            throw NeverHappened(description: "\(program.file) has three workers with the same ports")
        }
        return workers.enumerated().reduce(deployed) { $0.replacing("10.0.0.1\($1.offset + 1)", with: $1.element.host) }
            .replacing("8000", with: "\(port)").replacing("8080", with: "\(workers[0].port)")
            .replacing("9090", with: "\(workers[0].adminPort)")
    }

    /// HAProxy that gives no worker up which is late, where the test runs on a machine busy with others.
    private static func patient(_ deployed: String) -> String {
        deployed.replacing("timeout check 500ms", with: "timeout check 10s").replacing("fall 2 ", with: "fall 100 ")
    }

    /// The workers one by one, where HAProxy would find them by DNS.
    private static func naming(_ workers: [Backend], in deployed: String) throws -> String {
        var lines: [String] = []
        var replaced = 0
        for line in deployed.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("    server-template ") {
                let isAdmin = line.hasPrefix("    server-template admin ")
                lines += workers.enumerated().map { index, worker in
                    "    server worker\(index + 1) \(worker.host):\(isAdmin ? worker.adminPort : worker.port) check port "
                        + "\(worker.adminPort)"
                }
                replaced += 1
            } else {
                lines.append(line)
            }
        }
        guard replaced == 2 else { throw NeverHappened(description: "haproxy.cfg has another form") }
        return lines.joined(separator: "\n")
    }
}
