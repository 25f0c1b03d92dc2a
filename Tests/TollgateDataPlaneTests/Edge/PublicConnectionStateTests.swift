import HTTPWire
import NIOCore
import Testing

@testable import TollgateDataPlane

/// What a client's connection is at each moment, and what follows from what happens to it, without a channel or a clock.
@Suite struct PublicConnectionStateTests {
    enum Event: Sendable {
        case bytes(String)
        /// Whether the responder has a place for more of the body.
        case takesBody(Bool)
        case mayRead
        case answerBegins(asksToClose: Bool = false, isDraining: Bool = false)
        case answerEnded
        case abort
        case tunnel
        case outputClosed
        case clientStopped
        case quiesce
        case close
        case watch(awaitsBody: Bool?, limitsArrival: Bool = true)
        /// Seconds pass, and the timer fires.
        case time(Int64, limitsArrival: Bool = true)
        /// Seconds pass.
        case pass(Int64)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let what: String
        let steps: [(Event, String)]
        var testDescription: String { what }

        init(_ what: String, _ steps: [(Event, String)]) { (self.what, self.steps) = (what, steps) }
    }

    private static func get(_ path: String, _ fields: String = "", version: String = "1.1") -> String {
        "GET \(path) HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n"
    }

    private static func post(_ count: Int, _ body: String = "") -> String {
        "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n\(body)"
    }

    private static let chunked = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// A connection whose last answer was written at once.
    private static let lingering: [(Event, String)] = [
        (.bytes(get("/a", "Connection: close\r\n")), "GET /a, end"), (.answerBegins(), "close"),
        (.answerEnded, "linger until 60"),
    ]

    private static let requests = [
        Row(
            "one request after the other",
            [
                (.bytes(get("/a")), "GET /a, end"), (.answerBegins(), ""), (.answerEnded, ""),
                (.bytes(get("/b")), "GET /b, end"), (.answerBegins(), ""), (.answerEnded, ""), (.close, ""),
            ]),
        Row(
            "a request behind another waits as bytes",
            [
                (.bytes(get("/a") + get("/b") + "GE"), "GET /a, end"), (.answerBegins(), ""),
                (.answerEnded, "GET /b, end"), (.bytes("T /c HTTP/1.1\r\nHost: a\r\n\r\n"), ""), (.answerBegins(), ""),
                (.answerEnded, "GET /c, end"),
            ]),
        Row(
            "many of them are not read",
            [
                (.bytes(get("/a")), "GET /a, end"), (.mayRead, "yes"),
                (.bytes(String(repeating: "x", count: 64 * 1024 - 1)), ""), (.mayRead, "yes"), (.bytes("x"), ""),
                (.mayRead, "no"),
            ]),
        Row(
            "a head in pieces",
            [
                (.bytes("GET /a HT"), ""), (.mayRead, "yes"), (.bytes("TP/1.1\r\nHost: a\r\n"), ""),
                (.bytes("\r\n"), "GET /a, end"),
            ]),
        Row(
            "a body as its responder takes it",
            [
                (.takesBody(false), ""), (.bytes(post(4, "ab")), "POST /p"), (.mayRead, "no"),
                (.takesBody(true), "ab"), (.mayRead, "yes"), (.bytes("cd" + get("/b")), "cd, end"),
                (.answerBegins(), ""),
                (.answerEnded, "GET /b, end"),
            ]),
        Row(
            "the end of a body is taken without a place for more",
            [(.takesBody(false), ""), (.bytes(post(0)), "POST /p, end")]),
        Row(
            "chunks",
            [
                (.bytes(chunked + "3\r\nabc\r\n"), "POST /p, abc"), (.bytes("0\r\nX: y\r\n"), ""),
                (.bytes("\r\n"), "end+1"),
            ]),
    ]

    private static let answers = [
        Row("HTTP/1.0", [(.bytes(get("/a", version: "1.0")), "GET /a, end"), (.answerBegins(), "close")]),
        Row(
            "HTTP/1.0 that goes on",
            [
                (.bytes(get("/a", "Connection: keep-alive\r\n", version: "1.0")), "GET /a, end"),
                (.answerBegins(), "keep-alive"), (.answerEnded, ""),
            ]),
        Row(
            "the responder wants it to be the last",
            [(.bytes(get("/a")), "GET /a, end"), (.answerBegins(asksToClose: true), "close")]),
        Row(
            "an answer before the request is complete is the last",
            [
                (.bytes(post(4, "ab")), "POST /p, ab"), (.answerBegins(), "close"), (.bytes("cd"), "cd, end"),
                (.answerEnded, "linger until 60"), (.bytes(get("/b")), ""), (.mayRead, "yes"),
            ]),
        Row(
            "the last of a gateway that drains",
            [
                (.bytes(get("/a") + get("/b")), "GET /a, end"), (.answerBegins(isDraining: true), ""),
                (.answerEnded, "GET /b, end"), (.answerBegins(isDraining: true), "close"),
                (.answerEnded, "linger until 60"),
            ]),
        Row(
            "an answer that is cut off", [(.bytes(get("/a")), "GET /a, end"), (.answerBegins(), ""), (.abort, "close")]),
        Row(
            "one to HTTP/1.0, which knows no other end",
            [(.bytes(get("/a", version: "1.0")), "GET /a, end"), (.answerBegins(), "close"), (.abort, "reset")]),
        Row(
            "another protocol",
            [
                (.bytes(get("/a") + "hello"), "GET /a, end"), (.tunnel, "hello"), (.bytes("x"), ""),
                (.clientStopped, ""), (.time(1000), ""), (.close, ""),
            ]),
    ]

    private static let problems = [
        Row(
            "no HTTP",
            [
                (.bytes("hello\r\n\r\n"), "refuse"), (.answerBegins(), "close"), (.answerEnded, "linger until 60"),
                (.bytes("more"), ""),
            ]),
        Row("a head too long", [(.bytes("GET /" + String(repeating: "x", count: 1024)), "refuse")]),
        Row("a bad chunk", [(.bytes(chunked), "POST /p"), (.bytes("zz\r\n"), "refuse")]),
        Row(
            "a bad chunk behind the beginning of an answer",
            [(.bytes(chunked), "POST /p"), (.answerBegins(), "close"), (.bytes("zz\r\n"), "cut off")]),
        Row(
            "one behind a request",
            [
                (.bytes(get("/a") + "nonsense\r\n\r\n"), "GET /a, end"), (.answerBegins(), ""),
                (.answerEnded, "refuse"),
                (.answerBegins(), "close"),
            ]),
    ]

    private static let ends = [
        Row(
            "a client that reads and hangs up",
            lingering + [(.outputClosed, "until 5"), (.clientStopped, "hang up"), (.close, "")]),
        Row(
            "a client that hangs up before it has the answer",
            lingering + [(.clientStopped, ""), (.outputClosed, "hang up")]),
        Row("half a connection without a request", [(.clientStopped, "linger until 60"), (.outputClosed, "hang up")]),
        Row("half a connection in a head", [(.bytes("GET /a HTT"), ""), (.clientStopped, "linger until 60")]),
        Row("half a connection in a body", [(.bytes(post(4, "ab")), "POST /p, ab"), (.clientStopped, "close")]),
        Row(
            "half a connection behind requests",
            [
                (.bytes(get("/a") + get("/b")), "GET /a, end"), (.clientStopped, ""), (.answerBegins(), ""),
                (.answerEnded, "GET /b, end"), (.answerBegins(), "close"), (.answerEnded, "linger until 60"),
                (.outputClosed, "hang up"),
            ]),
        Row(
            "half a connection behind a body that has no place yet",
            [
                (.takesBody(false), ""), (.bytes(post(2, "ab")), "POST /p"), (.clientStopped, ""),
                (.takesBody(true), "ab, end"), (.answerBegins(), "close"),
            ]),
        Row(
            "half a connection during the answer",
            [
                (.bytes(get("/a")), "GET /a, end"), (.answerBegins(), ""), (.clientStopped, ""),
                (.answerEnded, "linger until 60"),
            ]),
        Row("shut down without a request", [(.quiesce, "close")]),
        Row("shut down in a head", [(.bytes("GET /a HTT"), ""), (.quiesce, "close")]),
        Row(
            "shut down with a request in progress",
            [
                (.bytes(get("/a") + get("/b")), "GET /a, end"), (.quiesce, ""), (.answerBegins(), "close"),
                (.answerEnded, "linger until 60"), (.quiesce, ""), (.outputClosed, "until 5"), (.pass(1), ""),
                (.quiesce, "until 5"), (.pass(3), ""), (.bytes("x"), ""), (.time(2), "hang up"),
            ]),
        Row("shut down in a tunnel", [(.bytes(get("/a")), "GET /a, end"), (.tunnel, ""), (.quiesce, "close")]),
        Row(
            "closed with a request in progress",
            [
                (.bytes(get("/a")), "GET /a, end"), (.close, ""), (.close, ""), (.quiesce, ""), (.outputClosed, ""),
                (.answerEnded, ""), (.clientStopped, ""), (.time(1000), ""),
            ]),
    ]

    private static let time = [
        Row("nothing moves", [(.time(59), "until 60"), (.time(1), "close")]),
        Row(
            "nothing moves behind an answer",
            [
                (.bytes(get("/a")), "GET /a, end"), (.time(100), "until 160"), (.answerBegins(), ""),
                (.answerEnded, ""),
                (.time(60), "close"),
            ]),
        Row(
            "a head that trickles",
            [
                (.pass(10), ""), (.bytes("GET"), ""), (.watch(awaitsBody: nil), "until 40"), (.pass(20), ""),
                (.bytes(" /"), ""), (.time(10), "late"),
            ]),
        Row(
            "a head that has begun behind another request counts from that one's answer",
            [
                (.bytes(get("/a") + "GET"), "GET /a, end"), (.pass(100), ""), (.answerBegins(), ""), (.answerEnded, ""),
                (.time(29), "until 130"), (.time(1), "late"),
            ]),
        Row(
            "a body that the gateway reads",
            [
                (
                    .bytes(post(1000, String(repeating: "x", count: 240))),
                    "POST /p, " + String(repeating: "x", count: 240)
                ),
                (.watch(awaitsBody: true), "until 6"), (.time(5), "until 6"), (.time(1), "too slow"),
            ]),
        Row(
            "a body that comes fast enough, and too late",
            [
                (.bytes(post(100_000)), "POST /p"), (.watch(awaitsBody: true), "until 5"), (.pass(4), ""),
                (.takesBody(false), ""), (.bytes(String(repeating: "x", count: 240 * 60)), ""),
                (.watch(awaitsBody: true), "until 30"), (.time(26), "late"),
            ]),
        Row(
            "a body for an upstream has all the time that its pace buys",
            [
                (.bytes(post(100_000)), "POST /p"), (.watch(awaitsBody: true, limitsArrival: false), "until 5"),
                (.takesBody(false), ""), (.bytes(String(repeating: "x", count: 240 * 60)), ""),
                (.watch(awaitsBody: true, limitsArrival: false), "until 60"),
                (.watch(awaitsBody: false, limitsArrival: false), ""),
                (.time(1000, limitsArrival: false), "until 1060"),
            ]),
        Row(
            "a complete request has the responder's time",
            [(.bytes(get("/a")), "GET /a, end"), (.time(1000), "until 1060")]),
        Row(
            "a client that does not read the last answer", lingering + [(.time(59), "until 60"), (.time(1), "hang up")]),
        Row("a client that is silent after it", lingering + [(.outputClosed, "until 5"), (.time(5), "hang up")]),
        Row(
            "a client that goes on sending has half a minute",
            lingering + [
                (.pass(2), ""), (.outputClosed, "until 7"), (.pass(4), ""), (.bytes("x"), ""), (.time(1), "until 11"),
                (.bytes("x"), ""), (.time(20), "hang up"),
            ]),
        Row(
            "and no longer",
            lingering + [
                (.outputClosed, "until 5"), (.pass(29), ""), (.bytes("x"), ""), (.time(0), "until 30"),
                (.time(1), "hang up"),
            ]),
    ]

    @Test(arguments: requests + answers + problems + ends + time) func whatFollows(row: Row) {
        var run = PublicConnectionRun()
        for (index, (event, expected)) in row.steps.enumerated() {
            let done = run.apply(event)
            #expect(done == expected, "\(row.what): step \(index), \(event)")
        }
    }
}
