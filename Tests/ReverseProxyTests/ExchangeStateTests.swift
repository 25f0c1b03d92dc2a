import HTTPWire
import NIOCore
import Testing

@testable import ReverseProxy

/// What an exchange says is to be done, event by event, without a channel, a pool or a clock.
@Suite struct ExchangeStateTests {
    enum Event: Sendable {
        case begin(isClientWritable: Bool = true)
        case chosen(Int)
        case noUpstream
        case connected(isWritable: Bool = true)
        case unavailable(ProxyError)
        case failed(UpstreamFault)
        case body(String)
        case requestEnded
        case clientWritable(Bool)
        case upstreamWritable(Bool)
        case clientGone
        case head(String)
        case answerBody(Int)
        case answerEnded
        case paused
        case tunnelEnded
        /// Seconds pass; what is due is looked at.
        case time(Int64)
        /// Seconds pass unseen.
        case pass(Int64)
        case takesBody
        case awaitsBody
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let what: String
        var testDescription: String { what }

        let terms: ExchangeState.Terms
        let isIdempotent: Bool
        let problem: RequestProblem?
        let steps: [(Event, String)]

        init(
            _ what: String, upgrades: [String] = [], expectsContinue: Bool = false, limit: Int? = nil,
            isIdempotent: Bool = true, problem: RequestProblem? = nil, _ steps: [(Event, String)]
        ) {
            (self.what, self.isIdempotent, self.problem, self.steps) = (what, isIdempotent, problem, steps)
            terms = ExchangeState.Terms(
                timeouts: ProxyTimeouts(firstByte: .seconds(30), idle: .seconds(60), total: .seconds(600)),
                maximumRequestBytes: limit, expectsContinue: expectsContinue, upgrades: upgrades)
        }
    }

    private static let begun: [(Event, String)] = [(.begin(), "attempt"), (.chosen(0), "")]
    private static let connected = begun + [(.connected(), "send")]
    private static let asked = connected + [(.requestEnded, "send end")]
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    private static let switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    private static let closedEarly = "badGateway(closedBeforeAnswer)"
    private static let truncated = "badGateway(truncatedAnswer)"

    private static let whole = [
        Row(
            "a request and its answer",
            asked + [
                (.head(ok), "final"), (.answerBody(4), ""), (.paused, "flush, read"), (.paused, "read"),
                (.answerEnded, "end whole, success, reusable, asked"), (.takesBody, "yes"), (.clientGone, ""),
                (.body("late"), "nowhere"), (.requestEnded, ""),
            ]),
        Row(
            "what comes before a connection waits for it",
            begun + [
                (.takesBody, "no"), (.body("a"), "held"), (.body("b"), "held"), (.requestEnded, ""),
                (.connected(), "send a b, send end"),
            ]),
        Row(
            "a body on its way",
            connected + [
                (.takesBody, "yes"), (.awaitsBody, "yes"), (.body("a"), "upstream"), (.upstreamWritable(false), ""),
                (.takesBody, "no"), (.awaitsBody, "no"), (.upstreamWritable(true), "takes body"),
                (.requestEnded, "send end"), (.upstreamWritable(true), ""), (.takesBody, "yes"), (.awaitsBody, "no"),
            ]),
        Row(
            "the answer waits for the client",
            connected + [
                (.clientWritable(false), ""), (.paused, ""), (.clientWritable(true), "read"), (.paused, "read"),
            ]),
        Row(
            "a client that takes nothing from the beginning",
            [
                (.begin(isClientWritable: false), "attempt"), (.chosen(0), ""), (.connected(), "send"), (.paused, ""),
            ]),
        Row(
            "interim answers go before",
            asked + [
                (.head("HTTP/1.1 103 Early Hints\r\n\r\n"), "interim"), (.answerEnded, "interim"), (.head(ok), "final"),
                (.answerEnded, "end whole, success, reusable, asked"),
            ]),
        Row(
            "an answer before the request is complete ends the connection",
            connected + [
                (.head(ok), "final"), (.answerEnded, "end whole, success, used up, asked"),
            ]),
        Row(
            "so does one that says so",
            asked + [
                (.head("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), "final"),
                (.answerEnded, "end whole, success, used up, asked"),
            ]),
        Row(
            "an answer of 500 is whole, and a failure of the upstream's for its client",
            asked + [
                (.head("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), "final"),
                (.answerEnded, "end whole, success, reusable, asked, fault"),
            ]),
    ]

    private static let tries = [
        Row(
            "another try when there was no answer",
            asked + [
                (.failed(.closed), "retry failure"), (.chosen(1), ""), (.connected(), "send, send end"),
                (.head(ok), "final"),
                (.answerEnded, "end whole, success, reusable, asked, 1 retry"),
            ]),
        Row(
            "not of what does harm twice", isIdempotent: false,
            asked + [
                (.failed(.closed), "end \(closedEarly), failure, close, asked, fault")
            ]),
        Row(
            "of anything when nothing was sent", isIdempotent: false,
            begun + [
                (.unavailable(.gatewayTimeout(.connect)), "retry failure"), (.chosen(1), ""),
                (.unavailable(.unavailable(.poolExhausted)), "retry abandoned"),
                (.noUpstream, "end unavailable(poolExhausted), abandoned, cancel, fault, 1 retry"),
            ]),
        Row(
            "not when part of the body was sent",
            connected + [
                (.body("a"), "upstream"), (.requestEnded, "send end"),
                (.failed(.closed), "end \(closedEarly), failure, close, asked, fault"),
            ]),
        Row(
            "not when an answer had begun",
            asked + [
                (.head("HTTP/1.1 100 Continue\r\n\r\n"), "interim"), (.answerEnded, "interim"),
                (.failed(.closed), "end \(truncated), failure, close, asked, fault"),
            ]),
        Row(
            "three tries are enough",
            begun + [
                (.unavailable(.badGateway(.connectFailed("a"))), "retry failure"), (.chosen(1), ""),
                (.unavailable(.badGateway(.connectFailed("b"))), "retry failure"), (.chosen(2), ""),
                (
                    .unavailable(.badGateway(.connectFailed("c"))),
                    "end badGateway(connectFailed(\"c\")), failure, cancel, fault, 2 retries"
                ),
            ]),
        Row(
            "no try when time is over",
            begun + [
                (.pass(600), ""),
                (
                    .unavailable(.badGateway(.connectFailed("a"))),
                    "end badGateway(connectFailed(\"a\")), failure, cancel, fault"
                ),
            ]),
        Row(
            "none at all",
            [(.begin(), "attempt"), (.noUpstream, "end unavailable(noUpstream), abandoned, cancel, fault")]),
        Row(
            "a request that no upstream may see", problem: .badMethod,
            [
                (.begin(), "end request(badMethod), abandoned, cancel"), (.begin(), ""), (.connected(), "not needed"),
            ]),
        Row(
            "a body that is too large", limit: 3,
            connected + [
                (.body("abc"), "upstream"),
                (.body("d"), "end request(bodyTooLarge(limitBytes: 3)), abandoned, close, asked"),
            ]),
        Row(
            "the client leaves while it waits for a connection",
            begun + [
                (.clientGone, "end clientGone, abandoned, cancel"), (.connected(), "not needed"),
            ]),
        Row(
            "the client leaves", asked + [(.clientGone, "end clientGone, abandoned, close, asked"), (.clientGone, "")]),
    ]

    private static let faults = [
        Row(
            "an answer that is cut off",
            asked + [
                (.head(ok), "final"), (.failed(.truncated), "end \(truncated), failure, close, asked, fault"),
            ]),
        Row(
            "an answer that is none",
            asked + [
                (.failed(.malformed("x")), "end badGateway(malformedAnswer(\"x\")), failure, close, asked, fault")
            ]),
        Row(
            "hung up on a client that keeps back its body", isIdempotent: false,
            connected + [
                (.body("a"), "upstream"), (.failed(.closed), "end \(closedEarly), abandoned, close, asked"),
            ]),
        Row(
            "but not when it is the upstream that takes no more", isIdempotent: false,
            connected + [
                (.body("a"), "upstream"), (.upstreamWritable(false), ""),
                (.failed(.closed), "end \(closedEarly), failure, close, asked, fault"),
            ]),
        Row(
            "hung up on a client that did not read for five seconds",
            asked + [
                (.head(ok), "final"), (.clientWritable(false), ""), (.pass(5), ""), (.clientWritable(true), "read"),
                (.failed(.truncated), "end \(truncated), abandoned, close, asked"),
            ]),
        Row(
            "or does not read now",
            asked + [
                (.head(ok), "final"), (.clientWritable(false), ""), (.pass(5), ""),
                (.failed(.truncated), "end \(truncated), abandoned, close, asked"),
            ]),
        Row(
            "four seconds are no excuse",
            asked + [
                (.head(ok), "final"), (.clientWritable(false), ""), (.pass(4), ""), (.clientWritable(true), "read"),
                (.failed(.truncated), "end \(truncated), failure, close, asked, fault"),
            ]),
    ]

    private static let time = [
        Row("no time to tell before there is a connection", begun + [(.time(1000), "")]),
        Row(
            "the first byte of the answer",
            asked + [
                (.time(29), "until 30"), (.time(1), "end gatewayTimeout(firstByte), failure, close, asked, fault"),
            ]),
        Row(
            "the upstream's word on a body", expectsContinue: true,
            connected + [
                (.awaitsBody, "no"), (.time(59), "until 60"),
                (.time(1), "end gatewayTimeout(firstByte), failure, close, asked, fault"),
            ]),
        Row(
            "the body after that word", expectsContinue: true,
            connected + [
                (.head("HTTP/1.1 100 Continue\r\n\r\n"), "interim"), (.answerEnded, "interim"), (.awaitsBody, "yes"),
                (.time(60), "end clientStalled, abandoned, close, asked"),
            ]),
        Row(
            "a body that does not come",
            connected + [
                (.pass(10), ""), (.body("a"), "upstream"), (.time(50), "until 70"),
                (.time(10), "end clientStalled, abandoned, close, asked"),
            ]),
        Row(
            "a body that the upstream does not take",
            connected + [
                (.upstreamWritable(false), ""), (.time(60), "end gatewayTimeout(idle), failure, close, asked, fault"),
            ]),
        Row(
            "an answer that does not go on",
            asked + [
                (.pass(20), ""), (.head(ok), "final"), (.time(0), "until 80"),
                (.time(60), "end gatewayTimeout(idle), failure, close, asked, fault"),
            ]),
        Row(
            "an answer that the client does not take",
            asked + [
                (.head(ok), "final"), (.clientWritable(false), ""),
                (.time(60), "end clientStalled, abandoned, close, asked"),
            ]),
        Row(
            "the whole, when the upstream owes the answer",
            connected + [
                (.pass(580), ""), (.requestEnded, "send end"), (.time(0), "until 600"),
                (.time(20), "end gatewayTimeout(total), failure, close, asked, fault"),
            ]),
        Row(
            "the whole, when the client has a part in it",
            connected + [
                (.pass(590), ""), (.body("a"), "upstream"),
                (.time(10), "end gatewayTimeout(total), abandoned, close, asked"),
            ]),
    ]

    private static let tunnels = [
        Row(
            "another protocol", upgrades: ["websocket"],
            asked + [
                (.takesBody, "no"), (.head(switching), "upgrade websocket"), (.answerEnded, "tunnel"),
                (.takesBody, "no"),
                (.time(1000), ""), (.failed(.closed), ""), (.tunnelEnded, "end whole, success, none, asked"),
                (.tunnelEnded, ""),
            ]),
        Row(
            "left by the client", upgrades: ["websocket"],
            asked + [
                (.head(switching), "upgrade websocket"), (.answerEnded, "tunnel"),
                (.clientGone, "end clientGone, abandoned, none, asked"),
            ]),
        Row(
            "one that was not asked for",
            asked + [
                (.head(switching), "end badGateway(unrequestedUpgrade), failure, close, asked, fault")
            ]),
        Row(
            "one before the request is complete", upgrades: ["websocket"],
            connected + [
                (.head(switching), "end badGateway(unrequestedUpgrade), failure, close, asked, fault")
            ]),
        Row(
            "one that is declined", upgrades: ["websocket"],
            asked + [
                (.head(ok), "final"), (.answerEnded, "end whole, success, reusable, asked"),
            ]),
    ]

    @Test(arguments: whole + tries + faults + time + tunnels) func whatFollows(row: Row) throws {
        var run = ExchangeRun(row)
        for (index, (event, expected)) in row.steps.enumerated() {
            let done = try run.apply(event)
            #expect(done == expected, "\(row.what): step \(index), \(event)")
        }
    }

    @Test func membersThatWereTriedAreNotTriedAgain() {
        var state = ExchangeState(ExchangeState.Terms(), at: .uptimeNanoseconds(0))
        state.tryBegan(index: 0)
        state.tryBegan(index: 63)
        let tried = state.tried
        #expect(tried == UInt64(1) | UInt64(1) << 63)
    }
}
