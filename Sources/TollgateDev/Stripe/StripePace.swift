import Synchronization

/// Counts the calls of the API by the second, and refuses those above a limit as Stripe does.
final class StripePace: Sendable {
    /// What has come in so far.
    struct Count: Sendable, Hashable {
        var calls = 0
        var refused = 0

        /// The most calls within any one second.
        var busiestSecond = 0
    }

    private struct State {
        var count = Count()

        /// When the calls of the last second came in.
        var recent: [ContinuousClock.Instant] = []
    }

    private let limit: Int?
    private let state = Mutex(State())

    /// - Parameter limit: Calls that are answered in a second. Nil for any number.
    init(limit: Int?) { self.limit = limit }

    var count: Count { state.withLock(\.count) }

    /// Takes up a call.
    ///
    /// - Returns: Whether it is to be answered.
    func take() -> Bool {
        let now = ContinuousClock.now
        return state.withLock { state in
            state.recent.removeAll { now - $0 >= .seconds(1) }
            state.recent.append(now)
            let isAnswered = limit.map { state.recent.count <= $0 } ?? true
            state.count.calls += 1
            state.count.refused += isAnswered ? 0 : 1
            state.count.busiestSecond = max(state.count.busiestSecond, state.recent.count)
            return isAnswered
        }
    }
}
