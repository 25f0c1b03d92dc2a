import HTTPTypes
import Hummingbird

/// What every call of Stripe's API goes through: the key, the version, the faults that tests asked for, and the
/// shape of errors. Pages pass it unchecked.
struct StripeGate: RouterMiddleware {
    typealias Context = BasicRequestContext

    /// Nil takes any test key.
    let secretKey: String?
    let faults: FaultPlan
    let pace: StripePace

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        guard path.hasPrefix("/v1/") else { return try await next(request, context) }
        var response: Response
        do {
            try checkKey(request)
            try checkVersion(request)
            guard pace.take() else {
                throw StandInStripeError("Too many requests.", status: .tooManyRequests, code: "rate_limit")
            }
            let fault = try await faults.answer(path: path) { Self.fault($0, retryAfterSeconds: $1) }
            if let fault { response = fault } else { response = try await next(request, context) }
        } catch let error as StandInStripeError {
            response = error.answer.response()
        } catch let error as HTTPError where error.status == .notFound {
            let message = "Unrecognized request URL (\(request.method.rawValue): \(path))."
            response = StandInStripeError(message, status: .notFound).answer.response()
        }
        response.headers[.requestID] = StripeObjectID.make("req", length: 14)
        response.headers[.stripeVersion] = StripeStandIn.apiVersion
        return response
    }

    private func checkKey(_ request: Request) throws {
        guard let authorization = request.headers[.authorization] else {
            throw StandInStripeError(
                "You did not provide an API key. Send 'Authorization: Bearer YOUR_SECRET_KEY'.", status: .unauthorized)
        }
        let key = authorization.hasPrefix("Bearer ") ? authorization.dropFirst("Bearer ".count) : ""
        guard key.hasPrefix("sk_test_"), secretKey.map({ key == $0 }) ?? true else {
            throw StandInStripeError("Invalid API Key provided.", status: .unauthorized)
        }
    }

    /// Stripe would take the account's default version; we want every call to say which it is written for.
    private func checkVersion(_ request: Request) throws {
        guard let version = request.headers[.stripeVersion] else {
            throw StandInStripeError("The stand-in wants the header 'Stripe-Version: \(StripeStandIn.apiVersion)'.")
        }
        guard version == StripeStandIn.apiVersion else {
            throw StandInStripeError("Invalid Stripe API version: \(version)")
        }
    }

    private static func fault(_ status: HTTPResponse.Status, retryAfterSeconds: Int?) -> Response {
        let type = status.code >= 500 ? "api_error" : "invalid_request_error"
        let error =
            switch status {
            case .tooManyRequests: StandInStripeError("Too many requests.", status: status, code: "rate_limit")
            case .conflict: StandInStripeError("The key is in use.", status: status, code: "idempotency_key_in_use")
            default: StandInStripeError("A fault.", status: status, type: type)
            }
        var response = error.answer.response()
        if let retryAfterSeconds { response.headers[.retryAfter] = "\(retryAfterSeconds)" }
        return response
    }
}
