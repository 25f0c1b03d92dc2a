import HTTPTypes
import Hummingbird
import JSONValue

/// An error as Clerk's Backend API answers it.
struct ClerkAPIError: Error {
    let status: HTTPResponse.Status
    let code: String
    let message: String
    let longMessage: String
    let retryAfterSeconds: Int?

    init(
        _ status: HTTPResponse.Status, code: String, _ message: String, longMessage: String? = nil,
        retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.longMessage = longMessage ?? message
        self.retryAfterSeconds = retryAfterSeconds
    }

    static let invalidBody = Self(.badRequest, code: "request_body_invalid", "The request body is invalid.")

    static func noSuchUser(_ id: String) -> Self {
        Self(.notFound, code: "resource_not_found", "not found", longMessage: "No user was found with id \(id).")
    }

    static func tooManyRequests(retryAfterSeconds: Int?) -> Self {
        Self(
            .tooManyRequests, code: "too_many_requests", "Too many requests. Please try again in a bit.",
            retryAfterSeconds: retryAfterSeconds)
    }

    static func unprocessable(code: String, _ message: String) -> Self {
        Self(.unprocessableContent, code: code, message)
    }

    var response: Response {
        let error: JSON = [
            "code": .string(code), "message": .string(message), "long_message": .string(longMessage),
        ]
        let trace = String(UInt128.random(in: (1 << 124)...UInt128.max), radix: 16)
        let body: JSON = ["errors": [error], "clerk_trace_id": .string(trace)]
        return .json(body.text, status: status, headers: retryAfterSeconds.map { [.retryAfter: "\($0)"] } ?? [:])
    }
}
