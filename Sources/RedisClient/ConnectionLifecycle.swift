/// From the first attempt to the last goodbye: when to connect, when to wait, when to give commands a connection.
///
/// Pure: methods take what has happened and return what is to be done.
struct ConnectionLifecycle {
    enum State: Hashable {
        case idle
        case connecting(failures: Int)
        case ready(failures: Int)
        case waiting(failures: Int)
        /// Shutting down; commands in flight are still answered.
        case draining
        case closed
    }

    enum Action: Hashable {
        case none
        case connect
        case retry(afterMilliseconds: Int64)
        /// No command is in flight: close the socket, if there is one.
        case close
    }

    /// A connection that has stood for less does not end a row of failures: a server that takes connections and is of
    /// no use is not asked faster than one that is away.
    static let soundMilliseconds: Int64 = 10_000

    private(set) var state = State.idle
    private let backoff: Backoff

    init(backoff: Backoff) { self.backoff = backoff }

    var isReady: Bool { if case .ready = state { true } else { false } }
    var isConnecting: Bool { if case .connecting = state { true } else { false } }
    var isClosed: Bool { state == .closed }

    /// Whether new commands are refused for good.
    var isShutDown: Bool { state == .draining || state == .closed }

    mutating func start() -> Action {
        guard state == .idle else { return .none }
        state = .connecting(failures: 0)
        return .connect
    }

    mutating func becameReady() -> Action {
        switch state {
        case .connecting(let failures):
            state = .ready(failures: failures)
            return .none
        case .draining, .closed: return .close
        case .idle, .ready, .waiting: return .none
        }
    }

    /// An attempt failed or a standing connection broke.
    ///
    /// - Parameter stoodMilliseconds: How long the connection had stood.
    mutating func connectionFailed(stoodMilliseconds: Int64 = 0, jitter: Double) -> Action {
        switch state {
        case .connecting(let failures): return wait(failures: failures + 1, jitter: jitter)
        case .ready(let failures):
            return wait(failures: stoodMilliseconds < Self.soundMilliseconds ? failures + 1 : 1, jitter: jitter)
        case .draining:
            state = .closed
            return .none
        case .idle, .waiting, .closed: return .none
        }
    }

    mutating func retryIsDue() -> Action {
        guard case .waiting(let failures) = state else { return .none }
        state = .connecting(failures: failures)
        return .connect
    }

    /// Shuts down; with nothing in flight at once, else when ``drained()`` is reported.
    mutating func shutDown(commandsInFlight: Int) -> Action {
        switch state {
        case .ready where commandsInFlight > 0:
            state = .draining
            return .none
        case .draining, .closed: return .none
        case .idle, .connecting, .ready, .waiting:
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

    private mutating func wait(failures: Int, jitter: Double) -> Action {
        state = .waiting(failures: failures)
        return .retry(afterMilliseconds: backoff.delayMilliseconds(failures: failures, jitter: jitter))
    }
}
