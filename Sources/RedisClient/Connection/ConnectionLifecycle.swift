/// From the first attempt to the shutdown: when to connect, when to wait, when to give commands a connection.
///
/// Pure: methods take what has happened and return what is to be done.
struct ConnectionLifecycle {
    enum State: Hashable {
        case idle
        case connecting(failures: Int)
        case ready(failures: Int)
        /// Replies are overdue: the connection stays, and is given no commands until it has caught up.
        case stalled(failures: Int)
        case waiting(failures: Int)
        /// Shutting down; commands in flight are still answered.
        case draining
        case closed
    }

    enum Action: Hashable {
        case none
        case connect
        case retry(afterMilliseconds: Int64)
        /// The connection that had stalled is given commands again; no other is needed. `afterSilence`: it has been so
        /// for long.
        case resume(afterSilence: Bool)
        /// No command is in flight: close the socket, if there is one.
        case close
    }

    /// A connection that has stood for less does not end a row of failures: a server that takes connections and is of
    /// no use is not asked faster than one that is away.
    static let soundMilliseconds: Int64 = 10_000

    private(set) var state = State.idle

    /// Whether a connection that has stalled is kept beside the attempts at another one, and is of use again as soon as
    /// it has caught up: a Redis that was stopped for a while is back at once.
    private(set) var keepsStalled = false
    private let backoff: Backoff

    init(backoff: Backoff) { self.backoff = backoff }

    var isReady: Bool { if case .ready = state { true } else { false } }
    var isStalled: Bool { if case .stalled = state { true } else { false } }
    var isClosed: Bool { state == .closed }

    /// Whether new commands are refused for good.
    var isShutDown: Bool { state == .draining || state == .closed }

    mutating func start() -> Action {
        guard state == .idle else { return .none }
        state = .connecting(failures: 0)
        return .connect
    }

    /// The connection that had stalled, if one was kept, is to be closed.
    mutating func becameReady() -> Action {
        switch state {
        case .connecting(let failures):
            state = .ready(failures: failures)
            keepsStalled = false
            return .none
        case .draining, .closed: return .close
        case .idle, .ready, .stalled, .waiting: return .none
        }
    }

    /// An attempt failed.
    ///
    /// - Parameter cost: What it cost the server.
    mutating func attemptFailed(_ cost: Backoff.Cost, jitter: Double) -> Action {
        guard case .connecting(let failures) = state else { return .none }
        return wait(failures: failures + 1, cost, jitter: jitter)
    }

    /// A standing connection broke, or one that had stalled and was kept.
    ///
    /// - Parameters:
    ///   - stoodMilliseconds: How long the connection had stood.
    ///   - cost: What it had cost the server, if it has not stood for long.
    mutating func connectionBroke(stoodMilliseconds: Int64 = 0, _ cost: Backoff.Cost, jitter: Double) -> Action {
        switch state {
        case .ready(let failures), .stalled(let failures):
            return waitAfter(stoodMilliseconds, failures: failures, cost, jitter: jitter)
        case .draining:
            state = .closed
            return .none
        case .connecting, .waiting:
            keepsStalled = false
            return .none
        case .idle, .closed: return .none
        }
    }

    mutating func repliesOverdue() {
        if case .ready(let failures) = state { state = .stalled(failures: failures) }
    }

    /// There was no sign of life in a connection that has stalled: looks for another one, and keeps it.
    mutating func fellSilent(stoodMilliseconds: Int64, jitter: Double) -> Action {
        guard case .stalled(let failures) = state else { return .none }
        keepsStalled = true
        return waitAfter(stoodMilliseconds, failures: failures, .little, jitter: jitter)
    }

    /// A connection that had stalled has caught up.
    mutating func revived() -> Action {
        switch state {
        case .stalled(let failures):
            state = .ready(failures: failures)
            return .resume(afterSilence: false)
        case .connecting(let failures) where keepsStalled, .waiting(let failures) where keepsStalled:
            state = .ready(failures: failures)
            keepsStalled = false
            return .resume(afterSilence: true)
        default: return .none
        }
    }

    mutating func retryIsDue() -> Action {
        guard case .waiting(let failures) = state else { return .none }
        state = .connecting(failures: failures)
        return .connect
    }

    /// Redis may be elsewhere by now: tries at once, and begins to count anew.
    mutating func lookAgain() -> Action {
        switch state {
        case .stalled: keepsStalled = true
        case .connecting, .waiting: break
        case .idle, .ready, .draining, .closed: return .none
        }
        state = .connecting(failures: 0)
        return .connect
    }

    /// Shuts down; with nothing in flight at once, else when ``drained()`` is reported.
    mutating func shutDown(commandsInFlight: Int) -> Action {
        switch state {
        case .ready where commandsInFlight > 0, .stalled where commandsInFlight > 0:
            state = .draining
            return .none
        case .draining, .closed: return .none
        case .idle, .connecting, .ready, .stalled, .waiting:
            state = .closed
            return .close
        }
    }

    /// The last command in flight was answered.
    mutating func drained() -> Action {
        guard state == .draining else { return .none }
        state = .closed
        return .close
    }

    private mutating func waitAfter(
        _ stoodMilliseconds: Int64, failures: Int, _ cost: Backoff.Cost, jitter: Double
    ) -> Action {
        stoodMilliseconds < Self.soundMilliseconds
            ? wait(failures: failures + 1, cost, jitter: jitter) : wait(failures: 1, .little, jitter: jitter)
    }

    private mutating func wait(failures: Int, _ cost: Backoff.Cost, jitter: Double) -> Action {
        state = .waiting(failures: failures)
        return .retry(afterMilliseconds: backoff.delayMilliseconds(failures: failures, cost, jitter: jitter))
    }
}
