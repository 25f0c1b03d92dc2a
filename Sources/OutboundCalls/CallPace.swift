/// Lets calls begin at an even pace: for work that is to leave the other server's room to those who wait for it.
package actor CallPace {
    private let interval: Duration
    private let sleep: @Sendable (ContinuousClock.Instant) async throws -> Void
    private var next: ContinuousClock.Instant?

    /// - Parameters:
    ///   - perSecond: Calls that begin in a second at most. More than 0.
    ///   - sleep: Waits until then. For tests.
    package init(
        perSecond: Int,
        sleep: @escaping @Sendable (ContinuousClock.Instant) async throws -> Void = {
            try await Task.sleep(until: $0, clock: .continuous)
        }
    ) {
        interval = .seconds(1) / max(1, perSecond)
        self.sleep = sleep
    }

    /// Returns when the next call may begin, in the order in which turns were asked for.
    ///
    /// - Throws: When the task is cancelled meanwhile. The turn is over then as well.
    package func turn(at now: ContinuousClock.Instant = .now) async throws {
        let moment = max(next ?? now, now)
        next = moment + interval
        if moment > now { try await sleep(moment) }
    }
}
