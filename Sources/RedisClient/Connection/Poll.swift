import NIOCore

/// Gathers the answers of several servers to one question. Decides when all have answered or failed, and soon after the
/// first answer: one that died with the server in question would else hold up what is asked for because of it.
///
/// Confined to its event loop.
final class Poll<Answer> {
    /// How long the others are waited for once one has answered.
    private static var patience: TimeAmount { .milliseconds(100) }

    private let eventLoop: any EventLoop
    private var whenDecided: ((_ answers: [Answer], _ failures: [String]) -> Void)?
    private var waitingFor: Int
    private var answers: [Answer] = []
    private var failures: [String] = []
    private var deadline: Scheduled<Void>?

    /// - Parameters:
    ///   - count: Servers that are asked. Each is told of once.
    ///   - whenDecided: Called once. What comes later is dropped.
    init(
        of count: Int, on eventLoop: any EventLoop,
        whenDecided: @escaping (_ answers: [Answer], _ failures: [String]) -> Void
    ) {
        waitingFor = count
        self.eventLoop = eventLoop
        self.whenDecided = whenDecided
    }

    func answered(_ answer: Answer) {
        answers.append(answer)
        if deadline == nil {
            deadline = eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { self.decide() }
        }
        oneIsThere()
    }

    func failed(_ reason: String) {
        failures.append(reason)
        oneIsThere()
    }

    private func oneIsThere() {
        waitingFor -= 1
        if waitingFor == 0 { decide() }
    }

    private func decide() {
        deadline?.cancel()
        whenDecided.take()?(answers, failures)
    }
}

@available(*, unavailable)
extension Poll: Sendable {}
