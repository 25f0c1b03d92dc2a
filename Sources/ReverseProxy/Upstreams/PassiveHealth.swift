/// What the outcomes of its requests say about an upstream. Pure; times are in nanoseconds of a clock that never goes back.
struct PassiveHealth {
    private let policy: HealthPolicy
    private var failuresInARow = 0
    private var ejections = 0
    private(set) var ejectedUntil: UInt64?
    /// When the probe is waited for no more, however long its client draws it out.
    private var probingUntil: UInt64?

    init(policy: HealthPolicy) { self.policy = policy }

    /// Whether a request may go there now. When the time out is over, one probe may, and no more until it is back.
    func isAvailable(at now: UInt64) -> Bool {
        guard let ejectedUntil else { return true }
        return now >= max(ejectedUntil, probingUntil ?? 0)
    }

    mutating func requestBegan(at now: UInt64) {
        guard let ejectedUntil, now >= max(ejectedUntil, probingUntil ?? 0) else { return }
        probingUntil = now + policy.firstEjectionMilliseconds * 1_000_000
    }

    mutating func succeeded() {
        (failuresInARow, ejections, ejectedUntil, probingUntil) = (0, 0, nil, nil)
    }

    /// The request came to nothing by no fault of the upstream.
    mutating func abandoned() { probingUntil = nil }

    mutating func failed(at now: UInt64) {
        failuresInARow += 1
        // Requests that were on their way when it was ejected say nothing new.
        if let ejectedUntil, now < ejectedUntil { return }
        guard probingUntil != nil || failuresInARow >= policy.failuresToEject else { return }
        let doublings = UInt64(min(ejections, 20))
        let milliseconds = min(policy.maximumEjectionMilliseconds, policy.firstEjectionMilliseconds << doublings)
        ejectedUntil = now + milliseconds * 1_000_000
        ejections += 1
        probingUntil = nil
    }
}
