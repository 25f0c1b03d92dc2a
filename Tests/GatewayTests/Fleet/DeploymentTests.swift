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
        for name in names where !["TOLLGATE_PUBLIC_PORT", "TOLLGATE_OVERVIEW_PORT"].contains(name) {
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
