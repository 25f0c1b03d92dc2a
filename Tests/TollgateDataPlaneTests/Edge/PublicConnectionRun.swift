import HTTPWire
import NIOCore

@testable import TollgateDataPlane

/// A connection that does in made-up time what it is told, and says what that was. Every request has a responder.
struct PublicConnectionRun: ~Copyable {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private var state = PublicConnectionState(
        limits: ConnectionLimits(idleTimeout: .seconds(60), headBytes: 1024), at: start)
    private var now = start
    private var takesBody = true

    mutating func apply(_ event: PublicConnectionStateTests.Event) -> String {
        switch event {
        case .bytes(let text):
            state.received(ByteBuffer(string: text), at: now)
            return process()
        case .takesBody(let takesBody):
            self.takesBody = takesBody
            return process()
        case .mayRead: return state.mayRead(responderTakesBody: takesBody) ? "yes" : "no"
        case .answerBegins(let asksToClose, let isDraining):
            return state.answerBegins(asksToClose: asksToClose, isDraining: isDraining) ?? ""
        case .answerEnded: return state.answerEnded(at: now) ? linger() : process()
        case .abort: return state.abort() ? "reset" : "close"
        case .tunnel: return String(buffer: state.becomeTunnel())
        case .outputClosed: return Self.text(state.outputClosed(at: now))
        case .clientStopped: return state.clientStopped() ? "hang up" : process()
        case .quiesce: return Self.text(state.quiesce(at: now))
        case .close:
            state.close()
            return ""
        case .watch(let awaitsBody, let limitsArrival):
            return state.watchArrival(awaitsBody: awaitsBody, limitsArrival: limitsArrival, at: now)
                .map { Self.text($0) } ?? ""
        case .time(let seconds, let limitsArrival):
            now = now + .seconds(seconds)
            return Self.text(state.timePassed(limitsArrival: limitsArrival, at: now))
        case .pass(let seconds):
            now = now + .seconds(seconds)
            return ""
        }
    }

    private mutating func process() -> String {
        var steps: [String] = []
        while true {
            switch state.next(responderTakesBody: takesBody) {
            case .none: return steps.joined(separator: ", ")
            case .head(let head):
                steps.append("\(head.method) \(head.target)")
                _ = state.responderBegan(minimumBodyRate: state.expectsBody ? 240 : 0)
            case .body(let bytes): steps.append(String(buffer: bytes))
            case .bodyEnded(let trailers):
                steps.append(trailers.lines.isEmpty ? "end" : "end+\(trailers.lines.count)")
            case .refuse: return (steps + [refuse()]).joined(separator: ", ")
            case .close:
                state.close()
                return (steps + ["close"]).joined(separator: ", ")
            case .linger: return (steps + [linger()]).joined(separator: ", ")
            }
        }
    }

    private mutating func refuse() -> String {
        switch state.refuse() {
        case .none: "none"
        case .answer: "refuse"
        case .abort: "cut off"
        }
    }

    private mutating func linger() -> String { "linger " + Self.text(state.linger(at: now)) }

    private static func text(_ wait: PublicConnectionWait) -> String {
        switch wait {
        case .none: ""
        case .wait(let until): text(until)
        case .refuseLate: "late"
        case .refuseTooSlow: "too slow"
        case .close: "close"
        case .hangUp: "hang up"
        }
    }

    private static func text(_ deadline: NIODeadline) -> String {
        "until \((deadline - Self.start).nanoseconds / 1_000_000_000)"
    }
}
