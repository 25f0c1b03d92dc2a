#if canImport(Glibc)
package import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Why there is no redis-server, or no longer. Every case says what to do or where to look.
package enum RedisServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The data directory belongs to a server that still runs: it was left behind, or another process uses it.
    case alreadyRunning(pid: pid_t, directory: String)
    case portTaken(Int)
    /// It ended without being asked.
    case ended(ChildProcess.ExitStatus, log: String, lastLines: String)
    /// It runs and does not answer.
    case silent(seconds: Int, log: String, lastLines: String)
    case socketPathTooLong(String)
    case directoryUnusable(String, reason: String)

    package var description: String {
        switch self {
        case .alreadyRunning(let pid, let directory):
            """
            a redis-server (process \(pid)) already runs on \(directory), and no 'tollgate dev' does: it was left behind, or \
            another program uses it. If it is not needed, end it with `kill \(pid)`, then start again; else choose another \
            data directory
            """
        case .portTaken(let port):
            "port \(port) of 127.0.0.1 is taken: end what listens there, or choose another port"
        case .ended(let status, let log, let lastLines):
            "redis-server \(status). The end of its log \(log):\n\(lastLines)"
        case .silent(let seconds, let log, let lastLines):
            "redis-server did not answer within \(seconds) s. The end of its log \(log):\n\(lastLines)"
        case .socketPathTooLong(let path):
            "\(path) is too long for a unix socket: choose a data directory with a shorter path"
        case .directoryUnusable(let directory, let reason):
            "cannot use \(directory) as redis' data directory: \(reason)"
        }
    }
}
