import HTTPTypes
import TollgateCore

extension Gatekeeper.Admitted {
    /// What `answer` gives. Whatever it throws becomes a refusal that tells of the limits too, for the call was
    /// charged.
    func withLimitsTold<Value>(_ answer: () async throws -> Value) async throws(APIError) -> Value {
        do {
            return try await answer()
        } catch {
            var refusal = Self.refusal(of: error)
            for field in rateLimitHeaders { refusal.headers.append(field) }
            throw refusal
        }
    }

    private static func refusal(of error: any Error) -> APIError {
        switch error {
        case let error as APIError: error
        case let error as StoreUnavailable: .unavailable(cause: error.reason)
        default: .internalError(cause: "\(error)")
        }
    }
}
