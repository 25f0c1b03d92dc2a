import OutboundCalls

/// Why a call of Clerk's Backend API did not succeed. For the operator's log; it never holds our key.
package struct ClerkBackendError: Error, Sendable, Hashable {
    /// What went wrong.
    package let kind: CallFailure

    /// One sentence: Clerk's own, or ours.
    package let message: String

    /// Nil when there was no answer.
    package var httpStatus: Int?

    /// Such as `clerk_key_invalid`.
    package var code: String?

    /// By which Clerk's support finds the call.
    var traceID: String?

    /// An error that is no more than this.
    package init(_ kind: CallFailure, _ message: String) {
        self.kind = kind
        self.message = message
    }

    init(transportError error: any Error) {
        let (failure, message) = CallFailure.explained(error, calling: "Clerk")
        self.init(failure, message)
    }
}

extension ClerkBackendError: CustomStringConvertible {
    /// One line with all that is known.
    package var description: String {
        let details = [("status", httpStatus.map(String.init)), ("code", code), ("trace", traceID)]
            .compactMap { name, value in value.map { "\(name) \($0)" } }
        return details.isEmpty ? message : "\(message) (\(details.joined(separator: ", ")))"
    }
}
