import ServiceLifecycle
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
package import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A redis-server of our own: it listens on 127.0.0.1 alone, keeps its data, log and socket in one directory, and ends
/// when we end.
///
/// The plain TCP port is always open, for it is how a server shows that it is there. Everything else, such as TLS or
/// users, comes from extra arguments.
package final class RedisServerProcess: Sendable {
    /// What outlives the server.
    package enum Persistence: Sendable, Hashable {
        /// Every write goes to an append-only file, synced each second.
        case appendOnly
        /// Nothing is kept.
        case none
    }

    /// What is started: `redis-server`, or the program that `TOLLGATE_REDIS_SERVER` names, such as a `valkey-server`.
    package static let program: String = {
        let named = ProcessInfo.processInfo.environment["TOLLGATE_REDIS_SERVER"] ?? ""
        return named.isEmpty ? "redis-server" : named
    }()

    /// Free ports that are tried, for another process may take one between our finding and redis' using it.
    private static let portAttempts = 5

    /// The plain TCP port on 127.0.0.1, the same after every restart.
    package let port: Int
    private let settings: RedisServerSettings
    private let current: Mutex<ChildProcess>

    private init(settings: RedisServerSettings, port: Int) async throws {
        self.settings = settings
        self.port = port
        current = Mutex(try await settings.launch(port: port))
    }

    /// Starts a server and waits until it answers.
    ///
    /// - Parameters:
    ///   - directory: Made for its owner alone when it is missing. Short when it holds a socket: the system cuts paths
    ///     of sockets at about a hundred bytes.
    ///   - port: Nil takes a free one.
    ///   - preferredPort: Taken before any other free one, when `port` is nil and it is free.
    ///   - unixSocket: Whether to listen on ``unixSocketPath``, too.
    ///   - extraArguments: As on redis-server's command line, such as `["--requirepass", "secret"]`. The log's place
    ///     and level are ours.
    ///   - environment: What the server is told beside the environment that it inherits from us.
    ///   - timeoutSeconds: How long the server may take to read its data.
    /// - Throws: ``RedisServerError`` or ``ChildProcessError``.
    package static func start(
        directory: String, port: Int? = nil, preferredPort: Int? = nil, unixSocket: Bool = false,
        persistence: Persistence = .none, extraArguments: [String] = [], environment: [String: String] = [:],
        timeoutSeconds: Int = 30
    ) async throws -> RedisServerProcess {
        let settings = try RedisServerSettings(
            directory: directory, unixSocket: unixSocket, persistence: persistence, extraArguments: extraArguments,
            environment: environment, timeoutSeconds: timeoutSeconds)
        if let port { return try await RedisServerProcess(settings: settings, port: port) }
        if let preferredPort {
            do {
                return try await RedisServerProcess(settings: settings, port: preferredPort)
            } catch RedisServerError.portTaken {}
        }
        var attempt = 1
        while true {
            do {
                return try await RedisServerProcess(settings: settings, port: Loopback.freePort())
            } catch RedisServerError.portTaken where attempt < portAttempts {
                attempt += 1
            }
        }
    }

    /// Without credentials.
    package var url: String { "redis://127.0.0.1:\(port)" }

    /// Nil unless it was asked for.
    package var unixSocketPath: String? { settings.unixSocketPath }

    /// What the server writes about itself since its last start.
    package var logPath: String { settings.logPath }

    /// The running server's, or the last one's.
    package var pid: pid_t { process.pid }

    private var process: ChildProcess { current.withLock { $0 } }

    /// Ends the server in order: it writes what it keeps.
    package func stop() async { await process.terminate() }

    /// Ends the server as a crash would.
    package func kill() async {
        process.signal(SIGKILL)
        _ = await process.wait()
    }

    /// Makes the server hang: connections stay open and are accepted, and nothing is answered.
    package func suspend() { process.suspend() }

    /// Ends what ``suspend()`` began.
    package func resume() { process.signal(SIGCONT) }

    /// Stops the server when it runs, and starts it on the same port with the data that it kept.
    package func restart() async throws {
        await stop()
        let next = try await settings.launch(port: port)
        current.withLock { $0 = next }
    }
}

extension RedisServerProcess: Service {
    /// Waits for the graceful shutdown, then stops the server.
    ///
    /// - Throws: ``RedisServerError/ended(_:log:lastLines:)`` when the server ends before that.
    package func run() async throws {
        let process = process
        let endedByItself = await withTaskGroup(of: ChildProcess.ExitStatus?.self) { group in
            group.addTask { await process.wait() }
            group.addTask {
                // Cancelling asks for the same.
                try? await gracefulShutdown()
                return nil
            }
            let first = await group.next() ?? nil
            if first == nil { await stop() }
            group.cancelAll()
            return first
        }
        if let endedByItself { throw settings.ended(endedByItself) }
    }
}
