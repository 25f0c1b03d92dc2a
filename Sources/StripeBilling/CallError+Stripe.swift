package import OutboundCalls

extension CalledService {
    /// 409 says that another call with the same idempotency key is under way.
    package static let stripe = CalledService(name: "Stripe", temporaryStatuses: [409])
}

extension CallError.Detail {
    static let type = Self("type")
    static let parameter = Self("param")
    static let requestID = Self("request")
}

/// What only Stripe tells.
extension CallError {
    /// Such as `card_error`, `invalid_request_error`, `idempotency_error` or `api_error`.
    package var type: String? { self[.type] }

    /// The parameter that Stripe complains of.
    package var parameter: String? { self[.parameter] }

    /// `req_…`, by which Stripe's support and the dashboard find the call.
    package var requestID: String? { self[.requestID] }
}
