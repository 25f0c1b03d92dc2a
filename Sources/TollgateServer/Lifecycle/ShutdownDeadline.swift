import Dispatch
import Logging

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ends the process when a shutdown takes longer than it may, whatever hangs. It stands on a queue of its own, and so on
/// nothing that a shutdown waits for.
package struct ShutdownDeadline {
    private let sources: [any DispatchSourceSignal]

    /// - Parameters:
    ///   - seconds: From the first signal on.
    ///   - signals: Those that begin a shutdown.
    ///   - hanging: What the shutdown waits for.
    ///   - end: Ends the process.
    package init(
        seconds: Int, signals: [CInt] = [SIGTERM, SIGINT], logger: Logger,
        hanging: @escaping @Sendable () -> String, end: @escaping @Sendable () -> Void = { _exit(1) }
    ) {
        let queue = DispatchQueue(label: "shutdown deadline")
        sources = signals.map { signal in
            let source = DispatchSource.makeSignalSource(signal: signal, queue: queue)
            source.setEventHandler {
                queue.asyncAfter(deadline: .now() + .seconds(seconds)) {
                    logger.critical(
                        "the shutdown took too long, the process ends",
                        metadata: ["seconds": "\(seconds)", "waiting-for": "\(hanging())"])
                    end()
                }
            }
            source.resume()
            return source
        }
    }

    /// No deadline any more.
    package func cancel() { for source in sources { source.cancel() } }
}
