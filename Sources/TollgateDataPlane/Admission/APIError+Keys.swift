import HTTPTypes
package import TollgateCore

/// The refusals of keys, and of whatever else is presented.
extension APIError {
    /// Several of what there may be one of: which one counts must not depend on who reads them.
    static func duplicateCredential(field: String, _ what: String = "header") -> APIError {
        APIError(
            .badRequest, error: "Authentication failed", code: "duplicate-authorization",
            message: "Send one \(field) \(what), not several.")
    }

    /// A text that cannot be a key. Redis was not asked.
    package static func key(_ problem: APIKey.Problem) -> APIError {
        let message =
            switch problem {
            case .malformed:
                "This does not have the form of an API key. Send the whole key, from sk_ or pk_ to its last character."
            case .checksumMismatch:
                "A character of the API key is wrong. Copy it again, or make a new one with POST /keys."
            }
        var error = APIError(
            .unauthorized, error: "Authentication failed", code: problem.rawValue, message: message)
        error.headers[.wwwAuthenticate] = "Bearer error=\"invalid_token\""
        return error
    }

    /// A key that the store does not let in. Its owner's limits are not told to its presenter.
    package static func key(_ refusal: KeyRefusal, message: String? = nil) -> APIError {
        let isForbidden = refusal.isOfGoodKey
        // RFC 6750, section 3.1, has no name for an address, which no other scope mends.
        let challenge =
            switch refusal {
            case .unknown, .revoked, .expired: "Bearer error=\"invalid_token\""
            case .scopeMissing: "Bearer error=\"insufficient_scope\""
            case .addressNotAllowed: String?.none
            }
        var error = APIError(
            isForbidden ? .forbidden : .unauthorized, error: isForbidden ? "Forbidden" : "Authentication failed",
            code: refusal.rawValue, message: message ?? refusal.message)
        error.headers[.wwwAuthenticate] = challenge
        return error
    }

    /// A good key that is not for this.
    ///
    /// - Parameter required: The scopes that this needs, all of them.
    static func scopeMissing(_ required: [KeyScope], in credential: Credential) -> APIError {
        let names = required.map { "'\($0.value)'" }.joined(separator: ", ")
        let isOne = required.count == 1
        guard credential.platformID == nil else {
            return key(
                .scopeMissing,
                message: "A publishable key manages nothing. Send a session token, or a secret key with the "
                    + "scope\(isOne ? "" : "s") \(names).")
        }
        return key(
            .scopeMissing,
            message: isOne
                ? "The key does not have the scope \(names). Use one that has it."
                : "The key does not have all of the scopes \(names). Use one that has them.")
    }

    /// A key must not be good for making further keys, which would outlive its revocation.
    package static let sessionTokenRequired = APIError(
        .forbidden, error: "Forbidden", code: "session-token-required",
        message: "Keys are managed with a session token, not with a key. Sign in and send that.")

    /// The same code for what shows a user all that is theirs.
    package static let accountNeedsSessionToken = APIError(
        .forbidden, error: "Forbidden", code: sessionTokenRequired.code,
        message: "The account is for session tokens, not for keys. Sign in and send one; GET /usage takes a key.")

    /// Keys were made and rotated too often.
    package static func tooManyKeyChanges(_ limit: KeyChangeRefusal, at time: UnixTime) -> APIError {
        let (limits, seconds) = (KeyChangeLimits.standard, limit.retryAfterSeconds(at: time))
        var error = APIError(
            .tooManyRequests, error: "Too many key changes", code: "too-many-key-changes",
            message:
                "Keys can be made and rotated \(limits.perMinute) times a minute and \(limits.perDay) times a day. "
                + "Try again in \(seconds) s; revoking is not limited.")
        error.headers[.retryAfter] = String(seconds)
        return error
    }

    static let tooManyFailedKeysCode = "too-many-failed-keys"

    /// Too many invalid keys came from the caller's address.
    ///
    /// - Parameter retryAfterSeconds: Until the next minute begins.
    static func tooManyFailedKeys(retryAfterSeconds: Int64) -> APIError {
        var error = APIError(
            .tooManyRequests, error: "Too many failed keys", code: tooManyFailedKeysCode,
            message: "Too many wrong keys came from this address. Check the key, and try again in a minute.")
        error.headers[.retryAfter] = String(retryAfterSeconds)
        return error
    }

    static let unknownTicketCode = "ticket-unknown"

    /// 160 bits are not guessed: it is a ticket that was used, or is too old.
    static var unknownTicket: APIError {
        var error = APIError(
            .unauthorized, error: "Authentication failed", code: unknownTicketCode,
            message: "The ticket is invalid, already used, or older than \(Ticket.lifetimeSeconds) seconds. Get a new "
                + "one with POST /tickets for each connection.")
        error.headers[.wwwAuthenticate] = "Bearer error=\"invalid_token\""
        return error
    }

    static let badIdempotencyKey = APIError(
        .badRequest, error: "Bad request", code: "bad-idempotency-key",
        message: "Idempotency-Key is there once, with 1 to \(IdempotentCall.maximumKeyLength) visible characters, "
            + "without blanks, braces, quotes and backslashes.")

    /// Whether it refuses a key that may have been guessed.
    var isFailedKey: Bool { Self.codesOfFailedKeys.contains(code) }

    private static let codesOfFailedKeys = Set(
        APIKey.Problem.allCases.map(\.rawValue) + [KeyRefusal.unknown, .revoked].map(\.rawValue))
}
