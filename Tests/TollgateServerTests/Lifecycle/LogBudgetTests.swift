import Logging
import Synchronization
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane

@testable import TollgateServer

@Suite struct LogBudgetTests {
    /// 2025-11-26T23:00:00Z, the beginning of a minute.
    private static let start = UnixTime(seconds: 1_764_198_000)

    @Test func aKindHasSixtyLinesAMinute() {
        var budget = LogBudget()
        for _ in 1..<LogBudget.linesPerMinute {
            #expect(budget.verdict(on: "a", at: Self.start) == .write(leftOut: 0))
        }
        #expect(budget.verdict(on: "a", at: Self.start.adding(seconds: 30)) == .writeLast)
        for _ in 1...1000 { #expect(budget.verdict(on: "a", at: Self.start.adding(seconds: 59)) == .leaveOut) }
        #expect(budget.verdict(on: "b", at: Self.start) == .write(leftOut: 0), "another kind has its own")
        #expect(budget.verdict(on: "a", at: Self.start.adding(seconds: 60)) == .write(leftOut: 1000))
        #expect(budget.verdict(on: "a", at: Self.start.adding(seconds: 60)) == .write(leftOut: 0))
    }

    /// What one client does to itself is no error of the gateway's.
    @Test func aClientsFullShareIsAWarning() {
        let log = KeptLog()
        APIError.tooManyInProgress.log(requestID: "1", path: "route r", to: log.logger)
        APIError.internalError(cause: "x").log(requestID: "2", path: "route r", to: log.logger)
        #expect(log.lines.count == 2)
        #expect(log.lines.first?.hasPrefix("warning request failed ") == true, "\(log.lines)")
        #expect(log.lines.first?.contains("code=too-many-in-progress") == true)
        #expect(log.lines.last?.hasPrefix("error request failed ") == true)
    }

    @Test func whatIsLeftOutIsToldAndCodesAreKindsOfTheirOwn() {
        let written = Written()
        let time = ManualClock(Self.start)
        let logger = Logger(label: "test") { _ in BoundedLogHandler(Recorder(written: written), time: time) }
        let copy = logger
        // What is in the message makes no kind of its own.
        func fail(_ code: Logger.Metadata.Value, round: Int = 0) {
            (round % 2 == 0 ? logger : copy).error("request \(round) failed", metadata: ["code": code])
        }
        for round in 1...100 { fail("a", round: round) }
        fail("b")
        for _ in 1...100 { logger.info("key created") }
        time.now(is: Self.start.adding(seconds: 60))
        fail("a")
        let lines = written.lines.withLock { $0 }
        #expect(lines.count { $0.metadata?["code"] == "a" } == LogBudget.linesPerMinute + 1)
        #expect(lines.count { $0.metadata?["code"] == "b" } == 1)
        #expect(lines.count { $0.level == .info } == 100, "who has done what is not left out")
        #expect(lines[LogBudget.linesPerMinute - 1].metadata?["furtherLines"] == "left out until the next minute")
        #expect(lines.last?.metadata?["leftOut"] == "40 before this one")
    }

    private final class Written: Sendable {
        let lines = Mutex<[LogEvent]>([])
    }

    private struct Recorder: LogHandler {
        let written: Written
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { written.lines.withLock { $0.append(event) } }
    }

    private final class ManualClock: TimeSource {
        private let time: Mutex<UnixTime>

        init(_ time: UnixTime) { self.time = Mutex(time) }

        func now() -> UnixTime { time.withLock { $0 } }

        func now(is time: UnixTime) { self.time.withLock { $0 = time } }
    }
}
