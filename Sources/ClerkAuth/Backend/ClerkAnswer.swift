package import NIOHTTP1
package import OutboundCalls

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An HTTP answer of Clerk's Backend API, not yet understood.
package struct ClerkAnswer: Sendable {
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
    func refusal(hiding secret: String) -> CallError {
        guard let document = try? JSONDecoder().decode(ErrorDocument.self, from: Data(body)),
            let first = document.errors.first
        else {
            return CallError(
                .clerk, .unintelligible,
                "The answer is not Clerk's JSON; is a proxy in between, or CLERK_API_URL wrong?", httpStatus: status)
        }
        func quoted(_ text: String) -> String { CallError.quoted(text, hiding: secret) }
        return CallError(
            .clerk, .refused, quoted(first.long_message ?? first.message ?? "Clerk said no."), httpStatus: status,
            details: [.code: first.code.map(quoted), .traceID: document.clerk_trace_id.map(quoted)])
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

extension CalledService {
    /// Its Backend API, and where its signing keys are read.
    package static let clerk = CalledService(name: "Clerk")
}

extension CallError.Detail {
    /// By which Clerk's support finds the call.
    fileprivate static let traceID = Self("trace")
}
