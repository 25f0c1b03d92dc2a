import HTTPWire
import NIOCore

@testable import ReverseProxy

/// An exchange that does in made-up time what it is told, and says what that was.
struct ExchangeRun: ~Copyable {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private var state: ExchangeState
    private var now = start
    private let isIdempotent: Bool

    init(_ row: ExchangeStateTests.Row) {
        state = ExchangeState(row.terms, problem: row.problem, at: now)
        isIdempotent = row.isIdempotent
    }

    mutating func apply(_ event: ExchangeStateTests.Event) throws -> String {
        switch event {
        case .begin(let isWritable): return text(state.begin(isClientWritable: isWritable, at: now))
        case .chosen(let index): state.tryBegan(index: index)
        case .noUpstream: return text(state.noUpstream(.unavailable(.noUpstream), at: now))
        case .connected(let isWritable): return connected(isWritable)
        case .unavailable(let error): return text(state.unavailable(error, isIdempotent: isIdempotent, at: now))
        case .failed(let fault): return text(state.failed(fault, isIdempotent: isIdempotent, at: now))
        case .body(let text): return place(text)
        case .requestEnded: return state.requestEnded(trailers: .none) ? sendEnd() : ""
        case .clientWritable(let isWritable):
            return state.clientWritabilityChanged(isWritable: isWritable, at: now) ? "read" : ""
        case .upstreamWritable(let isWritable):
            return state.upstreamWritabilityChanged(isWritable: isWritable, at: now) ? "takes body" : ""
        case .clientGone: return text(state.clientGone(at: now))
        case .head(let head): return try answered(head)
        case .answerBody(let count): state.answerBodyArrived(count, at: now)
        case .answerEnded: return answerEnded()
        case .paused:
            let flush = state.takeFlush() ? "flush" : nil
            return [flush, state.takesAnswer ? "read" : nil].compactMap(\.self).joined(separator: ", ")
        case .tunnelEnded: return text(state.tunnelEnded(at: now))
        case .time(let seconds): return timePassed(seconds)
        case .pass(let seconds): now = now + .seconds(seconds)
        case .takesBody: return state.takesBody ? "yes" : "no"
        case .awaitsBody: return state.awaitsBody ? "yes" : "no"
        }
        return ""
    }

    private mutating func connected(_ isWritable: Bool) -> String {
        guard let held = state.connected(isWritable: isWritable, at: now) else { return "not needed" }
        let sent = (["send"] + held.map { String(buffer: $0) }).joined(separator: " ")
        return state.isRequestComplete ? sent + ", " + sendEnd() : sent
    }

    private mutating func sendEnd() -> String {
        state.requestSent(at: now)
        return "send end"
    }

    private mutating func place(_ body: String) -> String {
        switch state.bodyArrived(ByteBuffer(string: body), at: now) {
        case .nowhere: "nowhere"
        case .held: "held"
        case .upstream: "upstream"
        case .end(let ending): text(ending)
        }
    }

    private mutating func answered(_ head: String) throws -> String {
        switch state.answered(try ResponseHead(parsing: ByteBuffer(string: head), isAnswerToHead: false), at: now) {
        case .ignored: "ignored"
        case .interim: "interim"
        case .final: "final"
        case .upgrade(let protocols): "upgrade " + protocols.joined(separator: " ")
        case .end(let ending): text(ending)
        }
    }

    private mutating func answerEnded() -> String {
        switch state.answerEnded(trailers: .none, at: now) {
        case .interim: "interim"
        case .tunnel: "tunnel"
        case .end(let ending): text(ending)
        }
    }

    private mutating func timePassed(_ seconds: Int64) -> String {
        now = now + .seconds(seconds)
        switch state.timePassed(at: now) {
        case .none: return ""
        case .wait(let until): return "until \((until - Self.start).nanoseconds / 1_000_000_000)"
        case .end(let ending): return text(ending)
        }
    }

    private func text(_ next: ExchangeState.Next) -> String {
        switch next {
        case .nothing: ""
        case .attempt: "attempt"
        case .retry(let verdict): "retry \(verdict)"
        case .end(let ending): text(ending)
        }
    }

    private func text(_ ending: ExchangeState.Ending) -> String {
        let outcome = ending.outcome
        let connection =
            switch ending.connection {
            case .end(let isReusable): isReusable ? "reusable" : "used up"
            default: "\(ending.connection)"
            }
        var parts = [outcome.error.map { "\($0)" } ?? "whole", "\(ending.verdict)", connection]
        for module in ["ReverseProxy.", "ProxyError.", "BadGateway.", "Phase.", "Unavailable.", "RequestProblem."] {
            parts[0] = parts[0].replacing(module, with: "")
        }
        if outcome.isAsked { parts.append("asked") }
        if outcome.isUpstreamFailure { parts.append("fault") }
        if outcome.retries > 0 { parts.append(outcome.retries == 1 ? "1 retry" : "\(outcome.retries) retries") }
        return "end " + parts.joined(separator: ", ")
    }
}
