package import Dispatch
package import Logging

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ends the process when a shutdown takes longer than it may, whatever hangs. It stands on a queue of its own, and so on
/// nothing that a shutdown waits for.
package struct ShutdownDeadline: Sendable {
    private let seconds: Int
    private let logger: Logger
    private let hanging: @Sendable () -> String
    private let end: @Sendable () -> Void
    private let queue = DispatchQueue(label: "shutdown deadline")

    /// - Parameters:
    ///   - seconds: From the first signal on.
    ///   - hanging: What the shutdown waits for.
    ///   - end: Ends the process.
    package init(
        seconds: Int, logger: Logger, hanging: @escaping @Sendable () -> String,
        end: @escaping @Sendable () -> Void = { _exit(1) }
    ) {
        self.seconds = seconds
        self.logger = logger
        self.hanging = hanging
        self.end = end
    }

    /// Waits for the signals that begin a shutdown, as long as what comes back is kept.
    package func watchSignals() -> [any DispatchSourceSignal] {
        [SIGTERM, SIGINT].map { signal in
            let source = DispatchSource.makeSignalSource(signal: signal, queue: queue)
            source.setEventHandler { begin() }
            source.resume()
            return source
        }
    }

    /// The shutdown begins.
    package func begin() {
        queue.asyncAfter(deadline: .now() + .seconds(seconds)) {
            logger.critical(
                "the shutdown took too long, the process ends",
                metadata: ["seconds": "\(seconds)", "waiting-for": "\(hanging())"])
            end()
        }
    }
}
