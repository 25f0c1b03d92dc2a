package import CoreMetrics
import PrometheusMetrics
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
    private let calls: Counter

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
        self.factory = factory
        func admissions(_ outcome: String) -> Counter {
            factory.counter("tollgate_admissions", [("outcome", outcome)], help: "Decisions about calls.")
        }
        let failures = Dictionary(
            uniqueKeysWithValues: Self.failureCodes.map {
                (
                    $0,
                    factory.counter(
                        "tollgate_authentication_failures", [("reason", $0)], help: "Credentials that were refused.")
                )
            })
        var outcomes: [AdmissionDecision.Outcome: Counter] = [
            .rateLimited: admissions("rate_limited"), .quotaExceeded: admissions("quota_exceeded"),
            .idempotencyKeyReused: admissions("idempotency_key_reused"),
            .idempotencyKeyInUse: admissions("idempotency_key_in_use"), .replayed: admissions("replayed"),
            .userBlocked: admissions("user_blocked"),
        ]
        // That a key is good shows in the admission; that it is not is a failure like that of a token.
        for refusal in KeyRefusal.allCases { outcomes[.keyRefused(refusal)] = failures[refusal.rawValue] }
        admitted = admissions("admitted")
        self.failures = failures
        self.outcomes = outcomes
        unavailable = factory.counter(
            "tollgate_store_unavailable",
            help: "Requests that could not be decided, since Redis did not answer or answered with an error.")
        unknownPlans = factory.counter(
            "tollgate_unknown_plans",
            help: "Calls of users whose plan is not in the worker's table, and who were given free.")
        oddValues = factory.counter("tollgate_odd_values", help: "Values in Redis that cannot be read.")
        degraded = factory.counter(
            "tollgate_degraded_admissions", help: "Calls that passed without Redis (onRedisDown: open).")
        storeErrors = Dictionary(
            uniqueKeysWithValues: StoreErrorCode.allCases.map {
                (
                    $0,
                    factory.counter(
                        "tollgate_store_errors", [("code", $0.rawValue)], help: "Errors that Redis has answered with.")
                )
            })
        var statuses = [Counter?](repeating: nil, count: 600)
        for status in Self.knownStatuses { statuses[status] = Self.requests(status, factory) }
        self.statuses = statuses
        calls = factory.counter(
            "tollgate_calls", help: "Requests of routes, /verify-auth and /authorize, whatever became of them.")
        duration = factory.timer(
            "tollgate_http_request_duration_seconds",
            help: "From the head of a request to its answer; of a proxied one, to the end of the answer.")
    }

    private static func requests(_ status: Int, _ factory: any MetricsFactory) -> Counter {
        factory.counter(
            "tollgate_http_requests", [("status", "\(status)")],
            help:
                "Requests on the public port, by the status of the answer; 0 when the client left before there was one."
        )
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
        (known ?? Self.requests(status, factory)).increment()
        duration.recordNanoseconds(nanoseconds)
    }

    /// A request of the data plane has ended: one that may have been a call, and no file or check of health.
    func call(status: Int, nanoseconds: Int64) {
        calls.increment()
        request(status: status, nanoseconds: nanoseconds)
    }
}
