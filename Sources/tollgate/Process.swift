import ArgumentParser
import Dispatch
import Logging
import NIOCore
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

    /// Log lines go to standard error, within bounds; standard output is for answers, and for the access log.
    ///
    /// - Parameters:
    ///   - format: Nil writes for people where they see it, and for programs elsewhere.
    ///   - time: What the lines begin with.
    static func makeLogger(level: Logger.Level, format: LogFormat? = nil, time: any TimeSource) -> Logger {
        let format = format ?? (errorsGoToTerminal ? .text : .json)
        var logger = Logger(label: "tollgate") { _ in
            BoundedLogHandler(LineLogHandler(format, time: time) { complain($0) }, time: time)
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

    /// Runs `body` in a task that SIGINT and SIGTERM cancel, so that it gives back what it holds. A second signal ends the
    /// process at once.
    static func cancelledBySignals<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task(operation: body)
        let sources = [SIGINT, SIGTERM].map { number in
            _ = signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                _ = signal(number, SIG_DFL)
                task.cancel()
            }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        return try await task.value
    }

    /// Standard output, at once: a reader behind a pipe waits for it.
    static func say(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// Standard error, at once.
    static func complain(_ text: String) { write(text, to: STDERR_FILENO) }

    /// Whether a person sees standard error as it is written.
    static var errorsGoToTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// The access log of a worker: on standard output.
    static func accessSink(_ configuration: GatewayConfiguration) -> AccessSink {
        AccessSink(format: configuration.logFormat ?? (outputGoesToTerminal ? .text : .json), write: accessLines)
    }

    private static let accessLines: @Sendable (ByteBuffer) -> Void = { write($0.readableBytesView, to: STDOUT_FILENO) }

    /// Whether a person sees standard output as it is written.
    static var outputGoesToTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    private static func write(_ text: String, to descriptor: Int32) {
        write(Array(text.utf8)[...], to: descriptor)
    }

    private static func write<Bytes: Collection<UInt8>>(_ bytes: Bytes, to descriptor: Int32) {
        var bytes = Array(bytes)[...]
        while !bytes.isEmpty {
            // Unsafe: write(2) reads exactly `count` bytes of an array that is held for the call.
            let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
