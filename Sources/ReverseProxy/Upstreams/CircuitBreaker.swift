/// Lets requests through, or not, by how the last ones ended. Pure; times are in nanoseconds of a clock that never goes
/// back.
struct CircuitBreaker {
    private enum State {
        case closed
        case open(until: UInt64)
        case halfOpen(Probing)
    }

    private struct Probing {
        var sent = 1
        var succeeded = 0
        /// When those that have said nothing are waited for no more.
        let until: UInt64
    }

    private let policy: BreakerPolicy
    private var state = State.closed
    private var windowStart: UInt64 = 0
    private var ended = 0
    private var failures = 0

    init(policy: BreakerPolicy) { self.policy = policy }

    var isClosed: Bool { if case .closed = state { true } else { false } }

    /// Whether a request may begin.
    func admits(at now: UInt64) -> Bool {
        switch state {
        case .closed: true
        case .open(let until): now >= until
        case .halfOpen(let probing): probing.sent < policy.probes || now >= probing.until
        }
    }

    /// One that was admitted begins. It is to be reported to ``requestEnded(failed:at:)`` or ``abandoned()``.
    mutating func requestBegan(at now: UInt64) {
        let until = now + policy.openMilliseconds * 1_000_000
        switch state {
        case .closed: break
        case .open: state = .halfOpen(Probing(until: until))
        // A client can draw out its request for as long as it likes, and must not hold the place of a probe for that.
        case .halfOpen(let probing) where now >= probing.until:
            state = .halfOpen(Probing(sent: probing.succeeded + 1, succeeded: probing.succeeded, until: until))
        case .halfOpen(var probing):
            probing.sent += 1
            state = .halfOpen(probing)
        }
    }

    mutating func requestEnded(failed: Bool, at now: UInt64) {
        switch state {
        case .open: break
        case .halfOpen(var probing):
            if failed { return open(at: now) }
            probing.succeeded += 1
            guard probing.succeeded < policy.probes else { return close(at: now) }
            state = .halfOpen(probing)
        case .closed:
            if now >= windowStart + policy.windowMilliseconds * 1_000_000 { close(at: now) }
            ended += 1
            if failed { failures += 1 }
            if ended >= policy.minimumRequests, failures * 100 >= ended * policy.failurePercent { open(at: now) }
        }
    }

    /// A request ended that says nothing about the upstream: its place among the probes is free again.
    mutating func abandoned() {
        guard case .halfOpen(var probing) = state, probing.sent > probing.succeeded else { return }
        probing.sent -= 1
        state = .halfOpen(probing)
    }

    private mutating func open(at now: UInt64) {
        state = .open(until: now + policy.openMilliseconds * 1_000_000)
    }

    private mutating func close(at now: UInt64) {
        (state, windowStart, ended, failures) = (.closed, now, 0, 0)
    }
}
