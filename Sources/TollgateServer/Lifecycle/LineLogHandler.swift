import FoundationEssentials
import JSONValue
package import Logging
package import TollgateConfiguration
package import TollgateCore

/// Writes each line of the log whole: for people `time level message name=value …`, for programs one JSON object with the
/// same. The time is the one that the gateway goes by, which is the same in the lines of all workers.
package struct LineLogHandler: LogHandler {
    private let format: LogFormat
    private let time: any TimeSource
    private let write: @Sendable (String) -> Void

    package var metadata: Logger.Metadata = [:]
    package var logLevel = Logger.Level.info
    package var metadataProvider: Logger.MetadataProvider?

    /// - Parameter write: Is given a line with its end.
    package init(_ format: LogFormat, time: any TimeSource, write: @escaping @Sendable (String) -> Void) {
        (self.format, self.time, self.write) = (format, time, write)
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        guard "\(event.message)" != Self.cancelledServer else { return }
        var all = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        let facts = all.sorted { $0.key < $1.key }.map { (name: $0.key, value: "\($0.value)") }
        let now = time.now().iso8601
        switch format {
        case .text:
            let words = facts.map { "\($0.name)=\($0.value)" }
            let line = ([now, event.level.rawValue, "\(event.message)"] + words).joined(separator: " ")
            write(Self.oneLine(line) + "\n")
        case .json:
            let members = [
                JSON.Member(name: "time", value: .string(now)),
                JSON.Member(name: "level", value: .string(event.level.rawValue)),
                JSON.Member(name: "message", value: .string("\(event.message)")),
            ]
            // A name of the line's own is not taken over.
            let own = Set(members.map(\.name))
            let others = facts.map {
                JSON.Member(name: own.contains($0.name) ? "_\($0.name)" : $0.name, value: .string($0.value))
            }
            write(JSON.object(members + others).text + "\n")
        }
    }

    /// Hummingbird's words for a server that is to end because another part of the gateway could not begin. Why that is,
    /// has a line of its own, beside which these look like the fault.
    private static let cancelledServer = "Waiting on child channel: CancellationError()"

    /// What comes from outside begins no line, and moves no cursor.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }
}
