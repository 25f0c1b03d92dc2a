import ArgumentParser
import Logging
import TollgateConfiguration
import TollgateCore
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
import Glibc
#else
import Foundation
#endif

/// What the process was started with and how it speaks to its user.
enum Process {
    static var environment: [String: String] { ProcessInfo.processInfo.environment }
    static var workingDirectory: String { FileManager.default.currentDirectoryPath }

    /// The command as the user typed it, for lines that can be pasted.
    static var commandName: String { CommandLine.arguments.first ?? "tollgate" }

    /// `EX_CONFIG` of sysexits(3).
    static let configurationStatus: Int32 = 78

    /// Log lines go to standard error, within bounds; standard output is for answers.
    ///
    /// - Parameter time: What the lines begin with.
    static func makeLogger(level: Logger.Level, time: any TimeSource) -> Logger {
        var logger = Logger(label: "tollgate") {
            BoundedLogHandler(StreamLogHandler(label: $0, stream: ClockedLogStream(time: time)), time: time)
        }
        logger.logLevel = level
        return logger
    }

    /// One line on standard error, and the end.
    static func fail(_ message: String, status: Int32 = 1) -> any Error {
        complain("tollgate: \(message)\n")
        return ExitCode(status)
    }

    static func fail(_ error: InvalidConfiguration) -> any Error {
        for problem in error.problems { complain("tollgate: \(problem.description)\n") }
        return ExitCode(configurationStatus)
    }

    /// Standard output, at once: a reader behind a pipe waits for it.
    static func say(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// Standard error, at once.
    static func complain(_ text: String) { write(text, to: STDERR_FILENO) }

    /// Whether a person sees standard error as it is written.
    static var errorsGoToTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            // Unsafe: write(2) reads exactly `count` bytes of an array that is held for the call.
            let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
