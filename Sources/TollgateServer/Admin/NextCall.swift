import TollgateCore
import TollgateDataPlane

/// What would become of a user's next call, if it costs one and claims no plan.
struct NextCall: Sendable, Hashable {
    let isAdmitted: Bool

    /// The `code` that the answer would have. Nil for an admitted one.
    let code: String?
    let message: String

    /// When a refused call can pass again. Nil for an admitted one, and for one that waiting does not help.
    let passesAt: UnixTime?

    /// - Parameters:
    ///   - decision: What the store would decide.
    init(_ decision: AdmissionDecision, at time: UnixTime) {
        let (usage, rate) = (decision.usage, decision.rate)
        let standing =
            "\(usage.count) of \(usage.limit) calls are used until \(usage.period.lastDay) and \(rate.count) of "
            + "\(rate.limit) in this minute."
        isAdmitted = decision.outcome == .admitted
        code = APIError(decision, at: time)?.code
        switch decision.outcome {
        case .rateLimited:
            // A call after the minute may meet the quota.
            let isUsedUp = usage.remaining == 0
            message =
                "It is refused with 429, for the minute is full: \(standing)"
                + (isUsedUp ? " After it, the quota refuses." : "")
            passesAt = rate.limit == 0 ? nil : isUsedUp ? usage.nextPeriod : rate.window.end
        case .quotaExceeded:
            message = "It is refused with 403, for the quota is used up: \(standing)"
            passesAt = usage.nextPeriod
        default:
            message = "It is admitted: \(standing)"
            passesAt = nil
        }
    }
}

extension UsageSnapshot {
    /// Nil for a plan without calls: no period brings any.
    fileprivate var nextPeriod: UnixTime? { limit == 0 ? nil : period.end }
}
