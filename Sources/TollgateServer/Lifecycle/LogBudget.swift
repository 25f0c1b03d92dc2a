package import Logging
import Synchronization
package import TollgateCore

/// How many warnings and errors of one kind are written in a clock minute. A request that fails writes a line, and
/// requests that fail cost their sender nothing: what they can make grow is bounded here, whatever writes it.
package struct LogBudget: Sendable {
    package static let linesPerMinute = 60

    /// Kinds that are told apart, far more than the program has.
    static let maximumKinds = 256

    /// What becomes of a line.
    package enum Verdict: Sendable, Hashable {
        /// It is written. So many like it were left out in the last minute in which there were any.
        case write(leftOut: Int)
        /// It is written, and no further one in this minute.
        case writeLast
        case leaveOut
    }

    private struct Count: Sendable {
        let window: RateWindow
        var lines = 0
        var leftOut = 0
    }

    private var counts: RecencyCache<String, Count>

    package init() { counts = RecencyCache(capacity: Self.maximumKinds) }

    /// Counts a line.
    package mutating func verdict(on kind: String, at time: UnixTime) -> Verdict {
        let window = RateWindow(containing: time)
        var count = counts.value(for: kind) ?? Count(window: window)
        var leftOut = 0
        if count.window != window {
            leftOut = count.leftOut
            count = Count(window: window)
        }
        defer { counts.insert(count, for: kind) }
        guard count.lines < Self.linesPerMinute else {
            count.leftOut += 1
            return .leaveOut
        }
        count.lines += 1
        return count.lines == Self.linesPerMinute ? .writeLast : .write(leftOut: leftOut)
    }
}

/// Writes to another handler what the ``LogBudget`` allows; all copies share one. Lines below a warning pass: no caller who
/// is not known can cause them, or the operator has asked for them.
package struct BoundedLogHandler: LogHandler {
    private final class SharedBudget: Sendable {
        private let budget = Mutex(LogBudget())

        func verdict(on kind: String, at time: UnixTime) -> LogBudget.Verdict {
            budget.withLock { $0.verdict(on: kind, at: time) }
        }
    }

    private var base: any LogHandler
    private let time: any TimeSource
    private let budget = SharedBudget()

    package init(_ base: any LogHandler, time: any TimeSource = SystemClock()) {
        self.base = base
        self.time = time
    }

    package func log(event: LogEvent) {
        guard event.level >= .warning else { return base.log(event: event) }
        // A place in the source: a message may have in it what came from outside. The code of an answer, one of those
        // in the reference, tells apart why requests fail.
        let code = event.metadata?["code"].map { " \($0)" } ?? ""
        var event = event
        switch budget.verdict(on: "\(event.file):\(event.line)\(code)", at: time.now()) {
        case .leaveOut: return
        case .write(leftOut: 0): break
        case .write(let count): event.metadata = note(event, "leftOut", "\(count) before this one")
        case .writeLast: event.metadata = note(event, "furtherLines", "left out until the next minute")
        }
        base.log(event: event)
    }

    private func note(_ event: LogEvent, _ key: String, _ text: String) -> Logger.Metadata {
        (event.metadata ?? [:]).merging([key: "\(text)"]) { $1 }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    package var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue }
    }

    package var logLevel: Logger.Level {
        get { base.logLevel }
        set { base.logLevel = newValue }
    }

    package var metadataProvider: Logger.MetadataProvider? {
        get { base.metadataProvider }
        set { base.metadataProvider = newValue }
    }
}
