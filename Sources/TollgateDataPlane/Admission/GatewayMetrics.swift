package import CoreMetrics
package import TollgateCore

/// Everything the gateway counts, with the handles made once: a count on the hot path is one atomic addition.
///
/// A class, so that every request shares it instead of copying its parts.
package final class GatewayMetrics: Sendable {
    private let factory: any MetricsFactory
    private let admitted: Counter

    /// Of all others.
    private let outcomes: [AdmissionDecision.Outcome: Counter]

    /// By the `code` of the answer.
    private let failures: [String: Counter]
    private let unavailable: Counter
    private let unknownPlans: Counter
    private let oddValues: Counter
    private let degraded: Counter

    /// Errors that Redis has answered with.
    private let storeErrors: [StoreErrorCode: Counter]

    /// By status, from 0 to 599.
    private let statuses: [Counter?]
    private let duration: CoreMetrics.Timer

    private static let knownStatuses = [
        200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 431, 500, 501, 502, 503, 504,
    ]

    /// The codes that ``authenticationFailure(code:)`` counts.
    package static let failureCodes =
        AuthenticationFailure.Reason.allCases.map(\.rawValue) + APIKey.Problem.allCases.map(\.rawValue)
        + KeyRefusal.allCases.map(\.rawValue) + [APIError.tooManyFailedKeysCode, APIError.unknownTicketCode]

    package init(factory: any MetricsFactory) {
        func counter(_ label: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        self.factory = factory
        let failures = Dictionary(
            uniqueKeysWithValues: Self.failureCodes.map {
                ($0, counter("tollgate_authentication_failures", [("reason", $0)]))
            })
        var outcomes: [AdmissionDecision.Outcome: Counter] = [
            .rateLimited: counter("tollgate_admissions", [("outcome", "rate_limited")]),
            .quotaExceeded: counter("tollgate_admissions", [("outcome", "quota_exceeded")]),
            .idempotencyKeyReused: counter("tollgate_admissions", [("outcome", "idempotency_key_reused")]),
            .idempotencyKeyInUse: counter("tollgate_admissions", [("outcome", "idempotency_key_in_use")]),
            .replayed: counter("tollgate_admissions", [("outcome", "replayed")]),
        ]
        // That a key is good shows in the admission; that it is not is a failure like that of a token.
        for refusal in KeyRefusal.allCases { outcomes[.keyRefused(refusal)] = failures[refusal.rawValue] }
        admitted = counter("tollgate_admissions", [("outcome", "admitted")])
        self.failures = failures
        self.outcomes = outcomes
        unavailable = counter("tollgate_store_unavailable")
        unknownPlans = counter("tollgate_unknown_plans")
        oddValues = counter("tollgate_odd_values")
        degraded = counter("tollgate_degraded_admissions")
        storeErrors = Dictionary(
            uniqueKeysWithValues: StoreErrorCode.allCases.map {
                ($0, counter("tollgate_store_errors", [("code", $0.rawValue)]))
            })
        var statuses = [Counter?](repeating: nil, count: 600)
        for status in Self.knownStatuses {
            statuses[status] = counter("tollgate_http_requests", [("status", "\(status)")])
        }
        self.statuses = statuses
        duration = CoreMetrics.Timer(label: "tollgate_http_request_duration_seconds", dimensions: [], factory: factory)
    }

    package func admission(_ decision: AdmissionDecision) {
        if case .admitted = decision.outcome { admitted.increment() } else { outcomes[decision.outcome]?.increment() }
        if decision.planIsUnknown { unknownPlans.increment() }
    }

    /// - Parameter code: Of the answer. One that is none of a credential is not counted.
    func authenticationFailure(code: String) { failures[code]?.increment() }

    /// A request could not be decided.
    func storeUnavailable(_ error: StoreUnavailable) {
        unavailable.increment()
        if case .answeredError(let code) = error.cause { storeAnsweredError(code) }
    }

    /// Redis has answered with an error, to whatever question of a request.
    func storeAnsweredError(_ code: StoreErrorCode) { storeErrors[code]?.increment() }

    /// Values in the store were invalid.
    func oddValues(_ count: Int) { oddValues.increment(by: count) }

    /// A request passed that Redis was not asked about.
    func admittedWithoutRedis() { degraded.increment() }

    package func request(status: Int, nanoseconds: Int64) {
        let known = statuses.indices.contains(status) ? statuses[status] : nil
        (known ?? Counter(label: "tollgate_http_requests", dimensions: [("status", "\(status)")], factory: factory))
            .increment()
        duration.recordNanoseconds(nanoseconds)
    }
}
