package import Logging
import Synchronization

/// What the log is told of a service that does not serve: one line when that begins and one when it ends, however many
/// calls fail meanwhile.
package final class ServiceOutage: Sendable {
    private struct State {
        let since: ContinuousClock.Instant
        var failures = 1
    }

    private let logger: Logger
    private let state = Mutex<State?>(nil)

    private let remedy: String

    /// - Parameter remedy: What the operator is to do while it does not serve.
    package init(logger: Logger, remedy: String = "tollgate doctor says what to do") {
        self.logger = logger
        self.remedy = remedy
    }

    /// A try of a call has ended.
    ///
    /// - Parameters:
    ///   - service: Whose.
    ///   - error: Nil when it succeeded. One that another try does not get past is an answer: the service serves.
    package func heard(_ error: CallError?, from service: CalledService, at now: ContinuousClock.Instant = .now) {
        if error?.kind == .cancelled { return }
        guard let error, error.isTemporary else { return ended(service, at: now) }
        let begins = state.withLock { state in
            guard state != nil else {
                state = State(since: now)
                return true
            }
            state?.failures += 1
            return false
        }
        guard begins else { return }
        logger.warning(
            "\(service.name) does not serve",
            metadata: ["reason": "\(error)", "remedy": "\(remedy)"])
    }

    private func ended(_ service: CalledService, at now: ContinuousClock.Instant) {
        let ended = state.withLock { $0.take() }
        guard let ended else { return }
        logger.notice(
            "\(service.name) serves again",
            metadata: [
                "afterSeconds": "\((now - ended.since).components.seconds)", "failedCalls": "\(ended.failures)",
            ])
    }
}
