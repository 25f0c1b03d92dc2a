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

/// Everything that is decided before a child process starts, and its start.
struct Launch: Sendable {
    /// The program and its arguments, the program's path first.
    let command: [String]

    /// `NAME=value`, as the kernel takes it.
    let environment: [String]

    let output: ChildProcess.Output

    init(
        program: String, arguments: [String], environment: [String: String]?, output: ChildProcess.Output
    ) throws(ChildProcessError) {
        let environment = environment ?? ProcessInfo.processInfo.environment
        // The child's PATH decides; a child without one is found by the usual places.
        let path = environment["PATH"] ?? Self.usualPlaces
        guard let executable = Self.find(program, in: path) else { throw .missing(program: program) }
        command = Self.dyingWithUs([executable] + arguments)
        self.environment = environment.map { "\($0)=\($1)" }
        self.output = output
    }

    private static let usualPlaces = "/usr/local/bin:/usr/bin:/bin"

    private static func find(_ program: String, in path: String) -> String? {
        let candidates =
            program.contains("/")
            ? [program] : path.split(separator: ":").map { "\($0)/\(program)" }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) && !isDirectory($0) }
    }

    private static func isDirectory(_ path: String) -> Bool {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.type] as? FileAttributeType == .typeDirectory
    }

    /// Has the kernel end the child when we die, even of SIGKILL. Linux alone can do that, and `posix_spawn` cannot
    /// ask for it; `setpriv` asks and then becomes the program, so that the process number stays.
    private static func dyingWithUs(_ command: [String]) -> [String] {
        #if os(Linux)
        if let setpriv = find("setpriv", in: usualPlaces) { return [setpriv, "--pdeathsig", "TERM", "--"] + command }
        #endif
        return command
    }

    /// Starts the child.
    ///
    /// - Parameter onLine: Called with every line of the output when it goes to ``ChildProcess/Output/lines``, and
    ///   with nil when there is no more.
    func run(onLine: @escaping @Sendable (String?) -> Void) throws(ChildProcessError) -> pid_t {
        let descriptors = try OutputDescriptors(output)
        // Ours to close: as long as we held it, the reader would never see the end.
        defer { close(descriptors.write) }
        do {
            let pid = try spawn(writingTo: descriptors.write)
            if let read = descriptors.read { LineReader.start(read, onLine: onLine) } else { onLine(nil) }
            return pid
        } catch {
            if let read = descriptors.read { close(read) }
            throw error
        }
    }

    private func spawn(writingTo output: Int32) throws(ChildProcessError) -> pid_t {
        var settings = SpawnSettings(output: output)
        let (code, pid) = settings.spawn(command, environment: environment)
        guard code == 0 else { throw .system(operation: "starting \(command[0])", code: code) }
        return pid
    }
}
