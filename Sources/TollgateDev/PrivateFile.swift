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

/// A secret that is made once and kept in a file which its owner alone can read.
struct PrivateFile {
    /// The file cannot be made, read or protected.
    struct Failure: Error, CustomStringConvertible {
        let operation: String
        let path: String
        let code: Int32

        var description: String {
            // SAFETY: `strerror` returns a C string that stays as it is until this thread asks again.
            "cannot \(operation) \(path): \(unsafe String(cString: strerror(code)))"
        }
    }

    let directory: String
    let name: String

    private var path: String { "\(directory)/\(name)" }

    /// What the file holds. When there is none, it is made with what `make` returns.
    func contents(orMake make: () throws -> String) throws -> String {
        if !FileManager.default.fileExists(atPath: path) { try create(make()) }
        // A copy of the folder may have opened it to all users of the machine.
        guard unsafe chmod(path, 0o600) == 0 else { throw failure("protect", path) }
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    /// Writes a file of another name and gives it ours, so that no process ever reads half of it. When two processes do
    /// so at once the first one's stays, and both use it.
    private func create(_ contents: String) throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max))"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create", temporary) }
        defer { _ = unsafe unlink(temporary) }
        let count = contents.utf8.count
        // SAFETY: the kernel reads that many bytes of the string, which has them, during the call.
        let isWritten = unsafe write(descriptor, contents, count) == count
        let writeFailure = failure("write", temporary)
        guard close(descriptor) == 0, isWritten else { throw writeFailure }
        guard unsafe link(temporary, path) == 0 || errno == EEXIST else { throw failure("create", path) }
    }

    private func failure(_ operation: String, _ path: String) -> Failure {
        Failure(operation: operation, path: path, code: errno)
    }
}
