import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the program says when it cannot start, or not as it was meant.
@Suite(.timeLimit(.minutes(6))) struct StartFailureTests {
    private static let least = [
        "REDIS_URL": "redis://127.0.0.1:1", "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k",
    ]

    private func run(
        _ arguments: [String], _ variables: [String: String] = [:]
    ) async throws -> (status: ChildProcess.ExitStatus, output: String) {
        let process = try ChildProcess.start(
            Worker.program, arguments, environment: ["PATH": "/usr/bin:/bin:/usr/sbin"].merging(variables) { $1 },
            output: .lines)
        var output = ""
        for await line in process.lines { output += line + "\n" }
        return (await process.wait(), output)
    }

    @Test func aConfigurationEndsWithAVerdict() async throws {
        let good = try await run(["check-config"], Self.least)
        #expect(good.status == .exited(0) && good.output.hasSuffix("\nvalid\n"), "\(good.output)")
        let half = try await run(["check-config"], Self.least.merging(["TOLLGATE_PROT": "81"]) { $1 })
        #expect(half.status == .exited(0) && half.output.hasSuffix("\nvalid, with 1 warning\n"), "\(half.output)")
        #expect(half.output.contains("warning: environment variable TOLLGATE_PROT: there is no setting"))
        let bad = try await run(["check-config"], ["REDIS_URL": "redis://127.0.0.1:1"])
        #expect(bad.status == .exited(78) && bad.output.hasSuffix("tollgate: not valid: 1 problem\n"), "\(bad.output)")
    }

    @Test func whatTheConfigurationNamesCanBeTried() async throws {
        let key = try DevelopmentIdentity.shared().publicKeyPEM
        let away = ["REDIS_URL": "redis://127.0.0.1:1", "CLERK_JWT_KEY": key]
        let lost = try await run(["check-config", "--connect"], away)
        #expect(lost.status == .exited(1), "\(lost.output)")
        #expect(lost.output.contains("the connection was refused") && lost.output.contains("-> Start Redis there"))
        #expect(lost.output.hasSuffix("\nvalid; not everything answers as it has to\n"))
        try await withRedis { redis in
            let there = ["REDIS_URL": redis.url, "CLERK_JWT_KEY": key]
            let found = try await run(["check-config", "--connect"], there)
            #expect(found.status == .exited(0) && found.output.hasSuffix("\nvalid; everything answers\n"))
            let mail = try await run(
                ["check-config", "--connect"],
                there.merging([
                    "TOLLGATE_ALERT_SMTP_URL": "smtp://u:hunter2@127.0.0.1:1?from=a@example.com&to=b@example.com",
                    "TOLLGATE_ALERT_ALLOW_PRIVATE": "true",
                ]) { $1 })
            #expect(mail.status == .exited(1), "\(mail.output)")
            #expect(mail.output.contains("TOLLGATE_ALERT_SMTP_URL = set"))
            #expect(mail.output.contains("The mail server at 127.0.0.1:1: the connection was refused"))
            #expect(!mail.output.contains("hunter2"))
        }
    }

    /// Who tries alerts in development is told where they are set up.
    @Test func developmentTellsOfAlertsThatItDoesNotRead() async throws {
        try await withTemporaryDirectory { directory in
            let ports = ["", "admin-", "identity-", "stripe-", "clerk-", "redis-"].flatMap { ["--\($0)port", "0"] }
            let command = ["dev", "--data", "\(directory)/data", "--log-level", "shrill"] + ports
            let told = try await run(command, ["TOLLGATE_ALERT_URL": "https://hooks.example.com/hunter2"])
            #expect(told.status == .exited(78), "\(told.output)")
            #expect(told.output.contains("tollgate: TOLLGATE_ALERT_URL of the environment is not read here"))
            #expect(told.output.contains("under 'alert:'") && !told.output.contains("hunter2"))
            let quiet = try await run(command)
            #expect(quiet.status == .exited(78) && !quiet.output.contains("ALERT"))
        }
    }

    /// The healthy Redis of the one that runs is not named to be killed.
    @Test func developmentThatAlreadyRunsIsToldOf() async throws {
        try await withTemporaryDirectory { directory in
            let ports = ["", "admin-", "identity-", "stripe-", "clerk-", "redis-"].flatMap { ["--\($0)port", "0"] }
            let command = ["dev", "--data", "\(directory)/data"] + ports
            let first = try ChildProcess.start(
                Worker.program, command, environment: ["PATH": "/usr/bin:/bin:/usr/sbin"], output: .lines)
            var url = ""
            for await line in first.lines {
                if line.contains("  gateway  ") { url = String(line.split(separator: " ").last ?? "") }
                if line == "Ctrl-C stops everything." { break }
            }
            let second = try await run(command)
            #expect(second.status == .exited(1))
            #expect(
                second.output.hasPrefix("tollgate: 'tollgate dev' already runs with the data in \(directory)/data"))
            #expect(second.output.contains("(process \(first.pid), \(url))"), "\(second.output)")
            #expect(!second.output.contains("kill"))

            // With data of its own and the same port.
            let port = url.split(separator: ":").last.map(String.init) ?? ""
            let other = try await run(["dev", "--data", "\(directory)/other"] + ports + ["--port", port])
            #expect(other.status == .exited(1))
            #expect(
                other.output.contains(
                    "127.0.0.1:\(port) cannot be opened: process \(first.pid) (tollgate dev) listens"),
                "\(other.output)")
            await first.terminate()
            // The lock goes with its holder.
            _ = try RunningInstance.take("\(directory)/data")
        }
    }
}
