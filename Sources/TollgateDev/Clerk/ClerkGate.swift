import HTTPTypes
import Hummingbird

/// What every call of Clerk's API goes through: the key, the faults that tests asked for, and the shape of errors.
struct ClerkGate: RouterMiddleware {
    typealias Context = BasicRequestContext

    /// Nil takes any test key.
    let secretKey: String?
    let faults: FaultPlan

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            try checkKey(request)
            let fault = try await faults.answer(path: request.uri.path) { Self.fault($0, retryAfterSeconds: $1) }
            if let fault { return fault }
            return try await next(request, context)
        } catch let error as ClerkAPIError {
            return error.response
        } catch let error as HTTPError where error.status == .notFound {
            return ClerkAPIError(.notFound, code: "resource_not_found", "not found").response
        }
    }

    private func checkKey(_ request: Request) throws {
        guard let authorization = request.headers[.authorization], authorization.hasPrefix("Bearer ") else {
            throw ClerkAPIError(
                .unauthorized, code: "authorization_header_format_invalid", "Invalid Authorization header format",
                longMessage: "Invalid Authorization header format. Must be \"Bearer <YOUR_API_KEY>\"")
        }
        let key = authorization.dropFirst("Bearer ".count)
        guard key.hasPrefix("sk_test_"), secretKey.map({ key == $0 }) ?? true else {
            throw ClerkAPIError(
                .unauthorized, code: "clerk_key_invalid", "The provided Clerk Secret Key is invalid.")
        }
    }

    private static func fault(_ status: HTTPResponse.Status, retryAfterSeconds: Int?) -> Response {
        let error =
            status == .tooManyRequests
            ? ClerkAPIError.tooManyRequests(retryAfterSeconds: retryAfterSeconds)
            : ClerkAPIError(
                status, code: "internal_clerk_error", "Oops, an unexpected error occurred.",
                retryAfterSeconds: retryAfterSeconds)
        return error.response
    }
}
