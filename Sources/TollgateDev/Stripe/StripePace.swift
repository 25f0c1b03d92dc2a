import Synchronization

/// Counts the calls of the API by the second, and refuses those above a limit as Stripe does.
final class StripePace: Sendable {
    private struct State {
        var second: Int64 = 0
        var count = 0
        var busiest = 0
    }

    private let limit: Int?
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    /// - Parameter limit: Calls that are answered in a second. Nil for any number.
    init(limit: Int?) { self.limit = limit }

    /// The most calls within one second so far.
    var busiestSecond: Int { state.withLock { $0.busiest } }

    /// Takes up a call.
    ///
    /// - Returns: Whether it is to be answered.
    func take() -> Bool {
        let second = (ContinuousClock.now - start).components.seconds
        return state.withLock { state in
            if state.second != second { (state.second, state.count) = (second, 0) }
            state.count += 1
            state.busiest = max(state.busiest, state.count)
            return limit.map { state.count <= $0 } ?? true
        }
    }
}
