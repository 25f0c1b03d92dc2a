import CoreMetrics
import Dispatch
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// The lines of the access log, and when they are written.
@Suite(.timeLimit(.minutes(6))) struct AccessLogTests {
    private static let time = UnixTime(milliseconds: 1_764_198_000_123)

    private static func text(_ line: AccessLine, as format: AccessLine.Format) -> String {
        var buffer = ByteBuffer()
        line.write(to: &buffer, at: time, as: format)
        return String(buffer: buffer)
    }

    private static func line(_ target: String = "/hello?token=secret") -> AccessLine {
        var line = AccessLine(requestID: "abc-1", status: 200, verdict: "admitted")
        line.method = "GET"
        line.target = target
        line.route = "hello"
        line.user = "user_abc"
        line.plan = "paid"
        line.upstream = "127.0.0.1:8000"
        line.nanoseconds = 1_234_567
        line.upstreamNanoseconds = 999
        line.requestBytes = 1
        line.answerBytes = 22
        return line
    }

    @Test func aLineForPrograms() {
        #expect(
            Self.text(Self.line(), as: .json) == """
                {"time":"2025-11-26T23:00:00.123Z","level":"info","message":"request","requestId":"abc-1",\
                "method":"GET","path":"/hello","status":200,"verdict":"admitted","route":"hello","user":"user_abc",\
                "plan":"paid","upstream":"127.0.0.1:8000","durationMs":1.234,"upstreamMs":0.000,"requestBytes":1,\
                "answerBytes":22}

                """)
        let least = Self.text(AccessLine(requestID: "abc-2", status: 400, verdict: "bad-request"), as: .json)
        #expect(
            least == """
                {"time":"2025-11-26T23:00:00.123Z","level":"info","message":"request","requestId":"abc-2",\
                "status":400,"verdict":"bad-request","durationMs":0.000,"requestBytes":0,"answerBytes":0}

                """)
    }

    @Test func aLineForPeople() {
        var line = Self.line()
        line.cause = "the connection was refused"
        #expect(
            Self.text(line, as: .text) == """
                2025-11-26T23:00:00.123Z GET /hello 200 admitted 1.234ms route=hello user=user_abc plan=paid \
                upstream=127.0.0.1:8000 upstreamMs=0.000 requestBytes=1 answerBytes=22 requestId=abc-1 \
                cause="the connection was refused"

                """)
    }

    /// Neither what follows the path nor a key in it, nor more of it than a line can bear.
    @Test(arguments: [
        ("/a?b=c", "/a"), ("/a#b", "/a"), ("/a_b/c_d", "/a_b/c_d"),
        ("/keys/sk_live_abc", "[a path with a key]"), ("/x/pk_live_0/y", "[a path with a key]"),
        ("/x/tkt_abc", "[a path with a key]"), ("/x/tga_ann.00", "[a path with a key]"),
        ("/x/eyJhbGciOi.e30.c2ln", "[a path with a token]"), ("/" + String(repeating: "x", count: 300), nil),
    ])
    func pathsHoldNoSecrets(target: String, path: String?) {
        let logged = AccessLine.loggedPath(target)
        #expect(logged == path ?? String(target.prefix(256)))
    }

    /// One line stays one line, whatever comes from outside.
    @Test func whatComesFromOutsideIsEscaped() {
        var line = Self.line("/\"\\")
        line.cause = "two\nlines \u{1B}[31m \"quoted\" – ü"
        for format in AccessLine.Format.allCases {
            let text = Self.text(line, as: format)
            #expect(text.filter { $0 == "\n" }.count == 1 && !text.contains("\u{1B}"), "\(text)")
        }
        let json = Self.text(line, as: .json)
        #expect(json.contains(#""path":"/\"\\""#) && json.contains(#"two\u000alines \u001b[31m \"quoted\" – ü"#))
    }

    /// Longer than any buffer has been made for.
    @Test func aLineIsNeverTooLong() {
        var line = Self.line("/" + String(repeating: "\"", count: 10_000))
        line.cause = String(repeating: "\u{1}", count: 10_000)
        line.requestID = String(repeating: "x", count: 128)
        #expect(Self.text(line, as: .json).utf8.count < 8000)
    }

    // MARK: When they are written

    private final class Written: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock(\.self) }
        func add(_ buffer: ByteBuffer) { texts.withLock { $0.append(String(buffer: buffer)) } }
    }

    private static func run(
        sample: Int = 1, _ body: (LoopAccessLog, AccessLog, Written) async throws -> Void
    ) async throws {
        let written = Written()
        let group = MultiThreadedEventLoopGroup.singleton
        let log = AccessLog(
            format: .json, sample: sample, time: ManualTime(time), eventLoopGroup: group,
            metricsFactory: NOOPMetricsHandler.instance, sink: { written.add($0) })
        let running = Task { try await log.run() }
        let loop = try #require(log.on(group.next()))
        try await eventually("it has begun") { try await loop.eventLoop.submit { loop.wants(status: 500) }.get() }
        try await body(loop, log, written)
        running.cancel()
        _ = try? await running.value
    }

    @Test func linesAreWrittenTogetherAndSoon() async throws {
        try await Self.run { loop, _, written in
            try await loop.eventLoop.submit {
                for number in 0..<10 {
                    loop.write(AccessLine(requestID: "r\(number)", status: 200, verdict: "admitted"))
                }
            }.get()
            try await eventually("they are written") { !written.all.isEmpty }
            #expect(written.all.count == 1 && written.all[0].split(separator: "\n").count == 10)
        }
    }

    @Test func whatIsLeftIsWrittenAtTheEnd() async throws {
        let last = Written()
        try await Self.run { loop, log, written in
            try await loop.eventLoop.submit {
                loop.write(AccessLine(requestID: "last", status: 200, verdict: "admitted"))
            }.get()
            await log.flush()
            for text in written.all { last.add(ByteBuffer(string: text)) }
        }
        #expect(last.all.joined().contains("last"))
    }

    /// Of answers that are no success each has its line.
    @Test func successesCanBeSampled() async throws {
        try await Self.run(sample: 10) { loop, _, _ in
            let wanted = try await loop.eventLoop.submit {
                (
                    (0..<100).filter { _ in loop.wants(status: 200) }.count,
                    (0..<7).filter { _ in loop.wants(status: 429) }.count,
                    (0..<7).filter { _ in loop.wants(status: 0) }.count
                )
            }.get()
            #expect(wanted == (10, 7, 7))
        }
    }

    /// A disk that hangs holds nothing up, and memory does not grow.
    @Test func whatCannotBeWrittenIsDropped() async throws {
        let gate = DispatchSemaphore(value: 0)
        let written = Written()
        let group = MultiThreadedEventLoopGroup.singleton
        let log = AccessLog(
            format: .json, sample: 1, time: ManualTime(Self.time), eventLoopGroup: group,
            metricsFactory: NOOPMetricsHandler.instance,
            sink: {
                gate.wait()
                gate.signal()
                written.add($0)
            })
        let running = Task { try await log.run() }
        let loop = try #require(log.on(group.next()))
        try await eventually("it has begun") { try await loop.eventLoop.submit { loop.wants(status: 500) }.get() }
        try await loop.eventLoop.submit {
            for number in 0..<300 {
                loop.write(AccessLine(requestID: "r\(number)", status: 200, verdict: "admitted"))
                loop.flush()
            }
        }.get()
        gate.signal()
        await log.flush()
        #expect(written.all.count < 100 && written.all.count > 10, "\(written.all.count)")
        running.cancel()
        _ = try? await running.value
    }
}
