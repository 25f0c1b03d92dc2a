import OutboundCalls

/// Why a call of Stripe's API did not succeed. For the operator's log; it never holds our key.
package struct StripeError: Error, Sendable, Hashable {
    /// What went wrong.
    package let kind: CallFailure

    /// One sentence: Stripe's own, or ours.
    package let message: String

    /// Nil when there was no answer.
    package var httpStatus: Int?

    /// Such as `card_error`, `invalid_request_error`, `idempotency_error` or `api_error`.
    package var type: String?

    /// Such as `resource_missing`.
    package var code: String?

    /// The parameter that Stripe complains of.
    package var parameter: String?

    /// `req_…`, by which Stripe's support and the dashboard find the call.
    package var requestID: String?

    /// An error that is no more than this.
    package init(_ kind: CallFailure, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// Another try may succeed, with everything as it is.
    package var isTemporary: Bool {
        switch kind {
        case .unreachable, .timedOut: true
        case .refused, .unintelligible: httpStatus.map { $0 == 409 || $0 == 429 || $0 >= 500 } ?? false
        case .cancelled: false
        }
    }
}

extension StripeError: CustomStringConvertible {
    /// One line with all that is known.
    package var description: String {
        let details = [
            ("status", httpStatus.map(String.init)), ("type", type), ("code", code), ("param", parameter),
            ("request", requestID),
        ].compactMap { name, value in value.map { "\(name) \($0)" } }
        return details.isEmpty ? message : "\(message) (\(details.joined(separator: ", ")))"
    }
}
