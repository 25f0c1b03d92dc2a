package import HTTPTypes
import JSONValue
package import TollgateCore

/// A caller who was let in: who it is, what was decided, and when. Of one who has only asked where their limits stand,
/// where they stood then.
///
/// A class, so that the parts of an answer share it instead of copying its parts.
package final class AdmittedCaller: Sendable {
    package let principal: Principal
    package let decision: AdmissionDecision
    package let time: UnixTime

    init(principal: Principal, decision: AdmissionDecision, time: UnixTime) {
        self.principal = principal
        self.decision = decision
        self.time = time
    }

    package var usage: UsageSnapshot { decision.usage }

    /// For the answer, if nothing is given back.
    package var rateLimitHeaders: HTTPFields { RateLimitHeaders.fields(for: decision, at: time) }

    /// The answer to a call that was let in and then failed by `error`. It tells of the limits too, as they are with
    /// the call given back.
    package func refusal(of error: any Error) -> APIError {
        var refusal: APIError =
            switch error {
            case let error as APIError: error
            case let error as StoreUnavailable: .unavailable(cause: error.reason)
            default: .internalError(cause: "\(error)")
            }
        for field in RateLimitHeaders.fields(for: decision.givenBack, at: time) { refusal.headers.append(field) }
        return refusal
    }
}

extension AdmissionDecision {
    /// The same when the calls that it reserved are the caller's again.
    fileprivate var givenBack: AdmissionDecision {
        guard let reservation else { return self }
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(
                count: usage.count - reservation.calls, limit: usage.limit, granted: usage.granted,
                plan: usage.plan, period: usage.period),
            rate: rate, routeRate: routeRate, oddities: oddities)
    }
}

extension Answer {
    /// Of `POST /verify-auth`: who the caller is and where their quota stands, this call included.
    package init(verified admitted: AdmittedCaller) {
        self.init(
            json: [
                "success": true, "userId": .string(admitted.principal.userID.value), "usage": admitted.usage.json,
            ],
            headers: admitted.rateLimitHeaders)
    }
}
