import NIOHTTP1
import OutboundCalls

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An HTTP answer of Clerk's Backend API, not yet understood.
package struct ClerkAnswer: Sendable {
    /// Longer messages are cut: they go to a log.
    private static let maximumMessageLength = 500

    /// The HTTP status.
    package let status: Int

    /// The header `Retry-After`, if it is a number.
    package let retryAfterSeconds: Int?

    private let body: [UInt8]

    /// An answer with everything that is read of it.
    package init(status: Int, headers: HTTPHeaders, body: [UInt8]) {
        self.status = status
        self.body = body
        retryAfterSeconds = RetryAfter.seconds(headers.first(name: "retry-after"))
    }

    /// Whether what was asked for has been done.
    var isSuccess: Bool { 200..<300 ~= status }

    /// Why Clerk said no.
    ///
    /// - Parameter secret: Blotted out should Clerk, or a proxy in between, repeat it.
    func refusal(hiding secret: String) -> ClerkBackendError {
        guard let document = try? JSONDecoder().decode(ErrorDocument.self, from: Data(body)),
            let first = document.errors.first
        else {
            var error = ClerkBackendError(
                .unintelligible, "The answer is not Clerk's JSON; is a proxy in between, or CLERK_API_URL wrong?")
            error.httpStatus = status
            return error
        }
        func readable(_ text: String) -> String {
            String(text.replacing(secret, with: "[key]").prefix(Self.maximumMessageLength))
        }
        var error = ClerkBackendError(.refused, readable(first.long_message ?? first.message ?? "Clerk said no."))
        error.httpStatus = status
        error.code = first.code.map(readable)
        error.traceID = document.clerk_trace_id.map(readable)
        return error
    }

    /// `{"errors": [{"code", "message", "long_message"}], "clerk_trace_id"}`
    private struct ErrorDocument: Decodable {
        struct Entry: Decodable {
            let code: String?
            let message: String?
            let long_message: String?
        }

        let errors: [Entry]
        let clerk_trace_id: String?
    }
}
