import HTTPTypes
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

    /// With a text that is no key.
    init(_ problem: APIKey.Problem) {
        isAdmitted = false
        code = problem.rawValue
        message =
            switch problem {
            case .malformed: "It is refused with 401: This is no key. It may be cut off, or have a character too many."
            case .checksumMismatch: "It is refused with 401: A character of the key is wrong. Copy it again."
            }
        passesAt = nil
    }

    /// Of a request that is refused before the store is asked.
    init(_ refusal: APIError) {
        isAdmitted = false
        code = refusal.code
        message = "It is refused with \(refusal.status.code): \(refusal.message ?? refusal.error)"
        passesAt = nil
    }

    /// On a route that asks for no credential. Nil for another one.
    init?(opening route: Route?) {
        guard let route, route.authentication == .none else { return nil }
        isAdmitted = true
        code = nil
        message = "It is admitted: the route '\(route.name)' asks for no credential, and counts nothing."
        passesAt = nil
    }

    /// - Parameters:
    ///   - decision: What the store would decide.
    ///   - route: Nil when the call is to none.
    ///   - isFromNowhere: No address was given to try it from.
    init(_ decision: AdmissionDecision, on route: Route? = nil, isFromNowhere: Bool = false, at time: UnixTime) {
        let (usage, rate) = (decision.usage, decision.rate)
        let onRoute =
            if let route, let rate = decision.routeRate {
                ", and \(rate.count) of \(rate.limit) on the route '\(route.name)'"
            } else { "" }
        let standing =
            "\(usage.count) of \(usage.limit) calls are used until \(usage.lastUntil) and \(rate.count) of "
            + "\(rate.limit) in this minute\(onRoute)."
        isAdmitted = decision.outcome == .admitted
        code = APIError(decision, at: time)?.code
        switch decision.outcome {
        case .rateLimited:
            // A call after the minute may meet the quota.
            let isUsedUp = usage.remaining == 0
            message =
                "It is refused with 429, for the minute is full: \(standing)"
                + (isUsedUp ? " After it, the quota refuses." : "")
            let isNever = rate.limit == 0 || decision.routeRate?.limit == 0
            passesAt = isNever ? nil : isUsedUp ? usage.nextPeriod(after: time) : rate.window.end
        case .quotaExceeded:
            message =
                "It is refused with 403, for the quota is used up: \(standing)"
                + (usage.period.end <= time ? " The renewal of the subscription is awaited." : "")
            passesAt = usage.nextPeriod(after: time)
        case .userBlocked:
            message =
                "It is refused with 403, for an operator has blocked the user: \(decision.blockReason?.text ?? "-")"
            passesAt = nil
        case .keyRefused(.addressNotAllowed) where isFromNowhere:
            message = "The key is bound to addresses, and no address was given to try it from (--from)."
            passesAt = nil
        case .keyRefused(let refusal):
            message = "It is refused with \(refusal.isOfGoodKey ? 403 : 401): \(refusal.message)"
            passesAt = nil
        default:
            message = "It is admitted: \(standing)"
            passesAt = nil
        }
    }
}

extension UsageSnapshot {
    /// Until when the count lasts: the last day of the month, or the moment at which a subscription's period ends.
    fileprivate var lastUntil: String { period.kind == .calendar ? "\(period.lastDay)" : period.end.spoken }

    /// Nil for a plan without calls: no period brings any. Nil as well for a period that is over and goes on until the
    /// subscription is renewed: when that will be is not known.
    fileprivate func nextPeriod(after time: UnixTime) -> UnixTime? {
        limit == 0 || period.end <= time ? nil : period.end
    }
}
