#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What every start of one redis-server has in common, and the start itself.
struct RedisServerSettings: Sendable {
    /// Bytes of a socket's path that Linux (108) and Darwin (104) both take, without the zero at the end.
    private static let maximumSocketPathBytes = 103

    /// Absolute and without symbolic links, as redis will see it.
    let directory: String
    let unixSocketPath: String?
    private let persistence: RedisServerProcess.Persistence
    private let extraArguments: [String]
    private let environment: [String: String]
    private let timeoutSeconds: Int

    var logPath: String { "\(directory)/redis.log" }
    private var pidPath: String { "\(directory)/redis.pid" }

    init(
        directory: String, unixSocket: Bool, persistence: RedisServerProcess.Persistence, extraArguments: [String],
        environment: [String: String], timeoutSeconds: Int
    ) throws(RedisServerError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .directoryUnusable(directory, reason: "\(error)")
        }
        self.directory = URL(filePath: directory).resolvingSymlinksInPath().path
        self.persistence = persistence
        self.extraArguments = extraArguments
        self.environment = environment
        self.timeoutSeconds = timeoutSeconds
        unixSocketPath = unixSocket ? "\(self.directory)/redis.sock" : nil
        if let unixSocketPath, unixSocketPath.utf8.count > Self.maximumSocketPathBytes {
            throw .socketPathTooLong(unixSocketPath)
        }
    }

    /// Starts a server and waits until it answers. One that does not is ended before the error is thrown.
    func launch(port: Int) async throws -> ChildProcess {
        if let pid = livePID() { throw RedisServerError.alreadyRunning(pid: pid, directory: directory) }
        // The log of one start is one file, so that its lines are about this start.
        _ = unsafe rename(logPath, "\(directory)/redis.previous.log")
        let process = try ChildProcess.start(
            RedisServerProcess.program, arguments(port: port),
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 }, output: .file(logPath))
        do {
            try await answered(process, port: port)
            return process
        } catch {
            await process.terminate()
            throw error
        }
    }

    /// The error for a server that ended without being asked.
    func ended(_ status: ChildProcess.ExitStatus) -> RedisServerError {
        .ended(status, log: logPath, lastLines: lastLogLines())
    }

    private func arguments(port: Int) -> [String] {
        var arguments = ["--port", "\(port)", "--bind", "127.0.0.1", "--protected-mode", "yes", "--daemonize", "no"]
        arguments += ["--dir", directory, "--pidfile", pidPath, "--save", ""]
        if let unixSocketPath { arguments += ["--unixsocket", unixSocketPath, "--unixsocketperm", "700"] }
        switch persistence {
        case .appendOnly: arguments += ["--appendonly", "yes", "--appendfsync", "everysec"]
        case .none: arguments += ["--appendonly", "no"]
        }
        // Last, because the last one counts: we look for a line in the log that other levels lack.
        return arguments + extraArguments + ["--logfile", "", "--loglevel", "notice"]
    }

    /// Returns when the server has read its data and answers.
    ///
    /// The log's line alone would not do, for a firewall may be in the way; the answer alone neither, for it may be
    /// another server's that was faster to take the port, or say only that a password is needed.
    private func answered(_ process: ChildProcess, port: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        while ContinuousClock.now < deadline {
            if let status = process.exitStatus {
                throw log().contains("Address already in use") ? RedisServerError.portTaken(port) : ended(status)
            }
            let isReady = log().lowercased().contains("ready to accept connections")
            if isReady, await Loopback.redisAnswers(port: port) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw RedisServerError.silent(seconds: timeoutSeconds, log: logPath, lastLines: lastLogLines())
    }

    private func log() -> String { text(at: logPath) ?? "" }

    private func lastLogLines() -> String { log().split(separator: "\n").suffix(10).joined(separator: "\n") }

    private func text(at path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The process that the pid file names, when that is still a server with this directory and not one that
    /// happened to get its number.
    private func livePID() -> pid_t? {
        guard let digits = text(at: pidPath)?.split(separator: "\n").first, let pid = pid_t(digits) else { return nil }
        #if os(Linux)
        // redis-server works in its data directory.
        let workingDirectory = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
        return workingDirectory == directory ? pid : nil
        #else
        return kill(pid, 0) == 0 ? pid : nil
        #endif
    }
}
