package import HTTPTypes
package import JSONValue
package import Logging
import ReverseProxy
package import TollgateCore

/// A refusal as the caller sees it: a status, an `error` text, a `code` that never changes, and what else
/// belongs to it. Every error answer of the gateway is made from one of these.
package struct APIError: Error, Sendable {
    package let status: HTTPResponse.Status

    /// For people; those of refusals that front-auth-api had are its texts, which existing clients may compare.
    package let error: String

    /// For programs: never changes its meaning.
    package let code: String

    /// What is wrong and what to do about it.
    package var message: String?

    /// Members between `error` and `message`, such as the usage of a refused call.
    package var details: [JSON.Member] = []
    package var headers: HTTPFields = [:]

    /// For the operator's log. Never in the answer.
    package var cause: String?

    /// How the log has it: a warning when it is one client's doing and the operator may want to know. Of an outage, which
    /// has a line when it begins, nobody wants to read for each request: the access log has those.
    package var logLevel = Logger.Level.error

    package init(
        _ status: HTTPResponse.Status, error: String, code: String, message: String? = nil, cause: String? = nil
    ) {
        self.status = status
        self.error = error
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// One line for the operator, when the fault is not the caller's.
    package func log(requestID: String, path: String, to logger: Logger) {
        guard let cause else { return }
        logger.log(
            level: logLevel, "request failed",
            metadata: [
                "request": "\(requestID)", "path": "\(path.prefix(Self.longestLogged))", "status": "\(status.code)",
                "code": "\(code)", "cause": "\(cause.prefix(Self.longestLogged))",
            ])
    }

    /// Characters of what may come from outside.
    private static let longestLogged = 512

    /// `{"error": …, <details>, "message": …, "code": …, "requestId": …}`
    package func body(requestID: String) -> JSON {
        var members = [JSON.Member(name: "error", value: .string(error))] + details
        if let message { members.append(JSON.Member(name: "message", value: .string(message))) }
        members.append(JSON.Member(name: "code", value: .string(code)))
        members.append(JSON.Member(name: "requestId", value: .string(requestID)))
        return .object(members)
    }
}

extension APIError {
    package static let notFound = APIError(
        .notFound, error: "Not found", code: "not-found", message: "There is nothing at this path.")

    package static func methodNotAllowed(allowed: [String]) -> APIError {
        let list = allowed.joined(separator: ", ")
        var error = APIError(
            .methodNotAllowed, error: "Method not allowed", code: "method-not-allowed",
            message: "This path takes \(list).")
        error.headers[.allow] = list
        return error
    }

    package static func badRequest(_ message: String) -> APIError {
        APIError(.badRequest, error: "Bad request", code: "bad-request", message: message)
    }

    package static func bodyTooLarge(limitBytes: Int) -> APIError {
        var error = APIError(
            .contentTooLarge, error: "Request body too large", code: "body-too-large",
            message: "The body may have up to \(limitBytes) bytes.")
        // The rest of the body is not read, so the connection cannot carry another request.
        error.headers[.connection] = "close"
        return error
    }

    static let headersTooLarge = APIError(
        .requestHeaderFieldsTooLarge, error: "Request headers too large", code: "headers-too-large",
        message: "Send fewer or shorter header fields.")

    static func versionNotSupported(_ message: String) -> APIError {
        APIError(
            .httpVersionNotSupported, error: "HTTP version not supported", code: "http-version-not-supported",
            message: message)
    }

    package static let requestTimeout = APIError(
        .requestTimeout, error: "Request timeout", code: "request-timeout",
        message: "The request did not arrive in time.")

    /// A body that trickles.
    static func bodyTooSlow(bytesPerSecond: Int) -> APIError {
        APIError(
            .requestTimeout, error: requestTimeout.error, code: requestTimeout.code,
            message: "The body came too slowly. Send at least \(bytesPerSecond) bytes per second.")
    }

    /// Redis, or the identity provider when no key of it is known yet, cannot be asked.
    package static func unavailable(cause: String) -> APIError {
        var error = APIError(
            .serviceUnavailable, error: "Service unavailable", code: "service-unavailable",
            message: "The request was not served. Try again in a second.", cause: cause)
        error.headers[.retryAfter] = "1"
        error.logLevel = .debug
        return error
    }

    /// One client too many.
    static let tooManyConnections: APIError = {
        var error = APIError(
            .serviceUnavailable, error: "Too many connections", code: "too-many-connections",
            message: "This worker has as many connections as it can. Try again in a second.")
        error.headers[.retryAfter] = "1"
        return error
    }()

    /// A client's requests hold all that one client may have of an upstream.
    package static let tooManyInProgress: APIError = {
        var error = APIError(
            .serviceUnavailable, error: "Too many requests in progress", code: "too-many-in-progress",
            message: "Too many of your requests are in progress; wait for them.",
            cause: "the client's share of the upstream's connections is exhausted")
        error.headers[.retryAfter] = "1"
        error.logLevel = .warning
        return error
    }()

    package static func internalError(cause: String) -> APIError {
        APIError(
            .internalServerError, error: "Internal error", code: "internal-error",
            message: "The fault is ours. The request id finds it in the log.", cause: cause)
    }

    /// The upstream of a route leads back to the gateway.
    static let loopDetected = APIError(
        .init(code: 508, reasonPhrase: "Loop Detected"), error: "Loop detected", code: "loop-detected",
        message: "The request has passed \(Via.maximumPassages) Tollgates, as its Via field says. "
            + "Let the route's upstreams be other servers than the gateway.")

    package static func authentication(_ failure: AuthenticationFailure) -> APIError {
        if failure.isTemporary {
            var error = APIError(
                .serviceUnavailable, error: "Service unavailable", code: failure.reason.rawValue,
                message: failure.message, cause: failure.message)
            error.headers[.retryAfter] = "1"
            error.logLevel = .debug
            return error
        }
        var error = APIError(
            .unauthorized, error: "Authentication failed", code: failure.reason.rawValue, message: failure.message)
        // RFC 9110 asks for a challenge on every 401; RFC 6750 names the error of a token that was sent and is bad.
        error.headers[.wwwAuthenticate] =
            failure.reason == .tokenMissing ? "Bearer" : "Bearer error=\"invalid_token\""
        return error
    }

    /// An operator has blocked the user.
    package static func userBlocked(_ reason: OperatorReason?) -> APIError {
        APIError(
            .forbidden, error: "User blocked", code: "user-blocked",
            message: reason?.text ?? "Ask the operator of this API why.")
    }

    /// The refusal of an admission. Nil for an admitted one.
    package init?(_ decision: AdmissionDecision, at time: UnixTime) {
        switch decision.outcome {
        case .admitted, .replayed: return nil
        case .rateLimited:
            self.init(
                .tooManyRequests, error: "Rate limit exceeded. Try again in 1 minute.", code: "rate-limit-exceeded")
        case .quotaExceeded:
            self.init(
                .forbidden, error: "Tier limit reached", code: "quota-exceeded",
                message: "Please upgrade to unlock more requests")
            details = decision.usage.limitMembers
        case .keyRefused(let refusal):
            self = .key(refusal)
            return
        case .userBlocked:
            self = .userBlocked(decision.blockReason)
            return
        case .idempotencyKeyReused:
            self.init(
                .unprocessableContent, error: "Idempotency key reused", code: "idempotency-key-reused",
                message: "This Idempotency-Key was sent with another request. Send a new one.")
        case .idempotencyKeyInUse:
            self.init(
                .conflict, error: "Idempotency key in use", code: "idempotency-key-in-use",
                message: "The request that was sent with this Idempotency-Key is in progress. Send it again later.")
        }
        headers = RateLimitHeaders.fields(for: decision, at: time)
        if let retryAfter = decision.retryAfterSeconds(at: time) { headers[.retryAfter] = String(retryAfter) }
    }
}

extension UsageSnapshot {
    /// The members of front-auth-api's 403 and of the beginning of its `usage`.
    fileprivate var limitMembers: [JSON.Member] {
        [
            JSON.Member(name: "count", value: .integer(count)),
            JSON.Member(name: "limit", value: .integer(limit)),
            JSON.Member(name: "plan", value: .string(plan)),
            JSON.Member(name: "periodStart", value: .string(period.firstDay.description)),
            JSON.Member(name: "periodEnd", value: .string(period.lastDay.description)),
        ] + (granted > 0 ? [JSON.Member(name: "granted", value: .integer(granted))] : [])
    }

    /// The `usage` of a successful answer.
    package var json: JSON {
        .object(limitMembers + [JSON.Member(name: "remaining", value: .integer(remaining))])
    }
}
