package import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The scripts in Tests/Oracles, and what they are run with.
package enum Oracle {
    /// Starts one of the scripts.
    ///
    /// - Parameters:
    ///   - name: Such as `stripe`.
    ///   - inputFile: What it reads. Nothing, unless told otherwise.
    package static func start(
        _ name: String, _ arguments: [String] = [], inputFile: String = "/dev/null"
    ) throws -> ChildProcess {
        let python = package.appending(path: ".build/oracles/bin/python").path
        guard FileManager.default.fileExists(atPath: python) else {
            throw NeverHappened(description: "Tests/Oracles/install was not run; 'make test' does")
        }
        let script = package.appending(path: "Tests/Oracles/\(name)_oracle.py").path
        return try ChildProcess.start(
            "sh", ["-c", "file=$1; shift; exec \"$@\" < \"$file\" 2>&1", "sh", inputFile, python, script] + arguments,
            output: .lines)
    }

    /// What one of the scripts says of `input`.
    package static func ask(_ name: String, _ arguments: [String], input: String = "") async throws -> String {
        let file = "/tmp/tg-oracle-\(UInt32.random(in: 0...UInt32.max))"
        try input.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let process = try start(name, arguments, inputFile: file)
        var lines: [String] = []
        for await line in process.lines { lines.append(line) }
        _ = await process.wait()
        return lines.joined(separator: "\n")
    }

    private static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
}
