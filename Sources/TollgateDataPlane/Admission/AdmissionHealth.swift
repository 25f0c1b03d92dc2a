import NIOCore
import Synchronization
import TollgateCore

/// What became of the last admissions: a worker whose metered calls all fail is of no use, whatever Redis answers to
/// anything else.
package final class AdmissionHealth: Sendable {
    /// How long a failure counts. A worker that is not ready is sent no requests, so it must be tried again.
    private static let failureCounts: TimeAmount = .seconds(10)

    /// Redis is a cluster, of which a server may refuse what the others do.
    private let isCluster: Bool

    /// When an admission was answered for the last time after others had failed. Nil when none has.
    private let lastAnswer = Mutex<NIODeadline?>(nil)

    package init(isCluster: Bool) { self.isCluster = isCluster }

    /// The last failure that concerns every user. Nil when an admission was answered since.
    private let failure = Mutex<(code: StoreErrorCode, error: StoreUnavailable, at: NIODeadline)?>(nil)
    private let isFailing = Atomic<Bool>(false)

    /// Any thread. Costs next to nothing while all is well.
    ///
    /// - Returns: Whether others have failed for everybody just before.
    @discardableResult
    func admissionWasAnswered() -> Bool {
        guard isFailing.load(ordering: .relaxed), isFailing.exchange(false, ordering: .relaxed) else { return false }
        lastAnswer.withLock { $0 = .now() }
        failure.withLock { $0 = nil }
        return true
    }

    /// - Returns: Whether it concerns one user alone, or is the first that concerns everybody.
    @discardableResult
    func admissionFailed(_ error: StoreUnavailable) -> Bool {
        guard case .answeredError(let code) = error.cause, code.concernsEverybody else { return true }
        let isFirst = !isFailing.exchange(true, ordering: .relaxed)
        // As long as some of a cluster's users are served, the worker is of use.
        if isCluster, let last = lastAnswer.withLock(\.self), .now() - last < Self.failureCounts { return isFirst }
        failure.withLock { $0 = (code, error, .now()) }
        return isFirst
    }

    /// What the probe of readiness has met last. Nil when Redis was fit.
    private let lastUnfitness = Mutex<String?>(nil)

    /// What the probe of readiness has found just now. When it finds Redis fit again after it has met what admissions
    /// met as well, that is over; what it does not see is not.
    ///
    /// - Parameter unfitness: Nil when Redis is fit.
    package func probed(_ unfitness: String?) {
        let before = lastUnfitness.withLock { last in
            defer { last = unfitness }
            return last
        }
        guard unfitness == nil, let before else { return }
        failure.withLock { failure in
            if let met = failure, before.contains(met.code.rawValue) { failure = nil }
        }
    }

    /// Why admissions fail. Nil when they do not, or none was tried lately.
    package var obstacle: String? {
        guard let failure = failure.withLock(\.self), .now() - failure.at < Self.failureCounts else { return nil }
        return failure.error.reason
    }
}
