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

/// The one `tollgate dev` that works on a data directory: a lock that the system lets go of when its holder ends, however
/// that comes, in a file that says who holds it.
package final class RunningInstance: Sendable {
    /// Another one works there.
    package struct AlreadyRunning: Error, Sendable, Hashable, CustomStringConvertible {
        let directory: String

        /// What the other one has written of itself. Empty when it has not come to that.
        let facts: String

        package var description: String {
            """
            'tollgate dev' already runs with the data in \(directory)\(facts.isEmpty ? "" : " (\(facts))"). Use that one, or \
            end it with Ctrl-C in its terminal; for a second one give --data and the --…-port options
            """
        }
    }

    /// As long as that, and the file is not ours.
    private static let maximumFactsBytes = 256

    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Takes the directory, which is made when it is missing.
    ///
    /// - Throws: ``AlreadyRunning``, or why the file cannot be used.
    package static func take(_ directory: String) throws -> RunningInstance {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let path = "\(directory)/running"
        // Children must not inherit it: they would hold the lock when we are gone.
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw PrivateFile.Failure(operation: "open", path: path, code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            let facts = text.split(separator: "\n").first.map { String($0.prefix(maximumFactsBytes)) } ?? ""
            throw AlreadyRunning(directory: directory, facts: facts)
        }
        let instance = RunningInstance(descriptor)
        instance.tell("process \(getpid())")
        return instance
    }

    /// What another one is told.
    ///
    /// - Parameter url: Of the gateway.
    package func tell(gatewayURL url: String) { tell("process \(getpid()), \(url)") }

    private func tell(_ facts: String) {
        let line = facts + "\n"
        guard ftruncate(descriptor, 0) == 0 else { return }
        // SAFETY: the kernel reads that many bytes of the string, which has them, during the call.
        _ = unsafe pwrite(descriptor, line, line.utf8.count, 0)
    }

    deinit { close(descriptor) }
}
