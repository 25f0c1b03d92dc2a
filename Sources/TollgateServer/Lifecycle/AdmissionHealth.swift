import NIOCore
import Synchronization
import TollgateCore

/// What became of the last admissions: a worker whose metered calls all fail is of no use, whatever Redis answers to
/// anything else.
final class AdmissionHealth: Sendable {
    /// How long a failure counts. A worker that is not ready is sent no requests, so it must be tried again.
    private static let failureCounts: TimeAmount = .seconds(10)

    /// The last failure that concerns everybody. Nil when an admission was answered since.
    private let failure = Mutex<(reason: String, at: NIODeadline)?>(nil)
    private let isFailing = Atomic<Bool>(false)
    private let wasFit = Atomic<Bool>(true)

    /// Any thread. Costs next to nothing while all is well.
    func admissionWasAnswered() {
        guard isFailing.load(ordering: .relaxed) else { return }
        isFailing.store(false, ordering: .relaxed)
        failure.withLock { $0 = nil }
    }

    func admissionFailed(_ error: StoreUnavailable) {
        guard case .answeredError(let code) = error.cause, code.concernsEverybody else { return }
        failure.withLock { $0 = (error.reason, .now()) }
        isFailing.store(true, ordering: .relaxed)
    }

    /// What the probe of readiness has found just now. When it finds Redis fit again, what admissions have met meanwhile
    /// is over as well.
    func probed(isFit: Bool) {
        if !wasFit.exchange(isFit, ordering: .relaxed), isFit { admissionWasAnswered() }
    }

    /// Why admissions fail. Nil when they do not, or none was tried lately.
    var obstacle: String? {
        guard let failure = failure.withLock(\.self), .now() - failure.at < Self.failureCounts else { return nil }
        return failure.reason
    }
}
