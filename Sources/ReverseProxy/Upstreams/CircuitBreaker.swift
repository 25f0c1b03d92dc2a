/// When an upstream is given a rest, so that clients fail fast and a service that is down can come up.
package struct BreakerPolicy: Sendable, Hashable {
    /// Requests that must have ended within a window before it is judged.
    package var minimumRequests: Int

    /// Share of failures, in percent, that opens the breaker.
    package var failurePercent: Int
    package var windowMilliseconds: UInt64

    /// How long nothing is let through.
    package var openMilliseconds: UInt64

    /// Requests that try it out afterwards; all must succeed.
    package var probes: Int

    package init(
        minimumRequests: Int = 20, failurePercent: Int = 80, windowMilliseconds: UInt64 = 10_000,
        openMilliseconds: UInt64 = 2000, probes: Int = 3
    ) {
        self.minimumRequests = minimumRequests
        self.failurePercent = failurePercent
        self.windowMilliseconds = windowMilliseconds
        self.openMilliseconds = openMilliseconds
        self.probes = probes
    }
}

/// Lets requests through, or not, by how the last ones ended. Pure; times are in nanoseconds of a clock that never goes
/// back.
struct CircuitBreaker {
    private enum State {
        case closed
        case open(until: UInt64)
        case halfOpen(sent: Int, succeeded: Int)
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
        case .halfOpen(let sent, _): sent < policy.probes
        }
    }

    /// One that was admitted begins. It is to be reported to ``requestEnded(failed:at:)`` or ``abandoned()``.
    mutating func requestBegan() {
        switch state {
        case .closed: break
        case .open: state = .halfOpen(sent: 1, succeeded: 0)
        case .halfOpen(let sent, let succeeded): state = .halfOpen(sent: sent + 1, succeeded: succeeded)
        }
    }

    mutating func requestEnded(failed: Bool, at now: UInt64) {
        switch state {
        case .open: break
        case .halfOpen(let sent, let succeeded):
            if failed { return open(at: now) }
            guard succeeded + 1 < policy.probes else { return close(at: now) }
            state = .halfOpen(sent: sent, succeeded: succeeded + 1)
        case .closed:
            if now >= windowStart + policy.windowMilliseconds * 1_000_000 { close(at: now) }
            ended += 1
            if failed { failures += 1 }
            if ended >= policy.minimumRequests, failures * 100 >= ended * policy.failurePercent { open(at: now) }
        }
    }

    /// A request ended that says nothing about the upstream: its place among the probes is free again.
    mutating func abandoned() {
        guard case .halfOpen(let sent, let succeeded) = state, sent > succeeded else { return }
        state = .halfOpen(sent: sent - 1, succeeded: succeeded)
    }

    private mutating func open(at now: UInt64) {
        state = .open(until: now + policy.openMilliseconds * 1_000_000)
    }

    private mutating func close(at now: UInt64) {
        (state, windowStart, ended, failures) = (.closed, now, 0, 0)
    }
}
