package import Logging
import Synchronization

/// A log that a test reads: a line each, with its metadata.
package final class KeptLog: Sendable {
    private let kept = Mutex<[String]>([])

    package init() {}

    package var lines: [String] { kept.withLock(\.self) }

    package var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private func add(_ line: String) { kept.withLock { $0.append(line) } }

    private struct Handler: LogHandler {
        let log: KeptLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            let words = all.map { "\($0.key)=\($0.value)" }.sorted()
            log.add(([event.level.rawValue, "\(event.message)"] + words).joined(separator: " "))
        }
    }
}
