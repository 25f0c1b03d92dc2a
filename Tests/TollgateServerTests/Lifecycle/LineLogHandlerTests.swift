import JSONValue
import Logging
import Synchronization
import TestSupport
import Testing
import TollgateConfiguration
import TollgateCore
import TollgateServer

/// How lines of the log look.
@Suite struct LineLogHandlerTests {
    private final class Written: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock(\.self) }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private static func line(_ format: LogFormat, _ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
        let written = Written()
        let time = ManualTime(UnixTime(seconds: 1_764_198_000))
        let logger = Logger(label: "test") { _ in LineLogHandler(format, time: time) { written.add($0) } }
        logger.notice(message, metadata: metadata)
        return written.all.joined()
    }

    @Test func forPeopleTheMessageComesFirst() {
        #expect(
            Self.line(.text, "redis connected", ["redis": "redis://localhost", "afterSeconds": "7"])
                == "2025-11-26T23:00:00Z notice redis connected afterSeconds=7 redis=redis://localhost\n")
    }

    @Test func forProgramsItIsOneObject() throws {
        let line = Self.line(.json, "redis connected", ["redis": "a\"b", "time": "taken"])
        #expect(line.hasSuffix("}\n") && line.filter { $0 == "\n" }.count == 1)
        let json = try #require(JSON(parsing: line.utf8))
        #expect(json["time"].string == "2025-11-26T23:00:00Z" && json["level"].string == "notice")
        #expect(json["message"].string == "redis connected")
        #expect(json["redis"].string == "a\"b" && json["_time"].string == "taken")
    }

    /// What comes from outside begins no line of its own.
    @Test(arguments: LogFormat.allCases) func aLineStaysOne(format: LogFormat) {
        let line = Self.line(format, "a\nb", ["x": "1\r\n2\u{1B}[31m"])
        #expect(line.unicodeScalars.filter { $0 == "\n" }.count == 1 && !line.unicodeScalars.contains("\u{1B}"))
        #expect(!line.unicodeScalars.contains("\r"))
    }
}
