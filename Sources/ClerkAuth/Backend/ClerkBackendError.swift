import AsyncHTTPClient

/// Why a call of Clerk's Backend API did not succeed. For the operator's log; it never holds our key.
package struct ClerkBackendError: Error, Sendable, Hashable {
    /// What went wrong. The raw value is the label of the metric.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Clerk answered, and said no or that it has a fault. ``ClerkBackendError/httpStatus`` tells which.
        case refused

        /// No connection, or it broke.
        case unreachable

        /// No answer in time.
        case timedOut = "timed-out"

        /// An answer that is not Clerk's.
        case unintelligible

        /// The caller gave up.
        case cancelled
    }

    /// What went wrong.
    package let kind: Kind

    /// One sentence: Clerk's own, or ours.
    package let message: String

    /// Nil when there was no answer.
    package var httpStatus: Int?

    /// Such as `clerk_key_invalid`.
    package var code: String?

    /// By which Clerk's support finds the call.
    package var traceID: String?

    /// An error that is no more than this.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// What the HTTP client threw, in few words: its own descriptions may repeat a header.
    init(transportError error: any Error) {
        switch error {
        case _ where Task.isCancelled: self.init(.cancelled, "The call of Clerk was cancelled.")
        case is TimeLimitExceeded: self.init(.timedOut, "Clerk did not answer in time.")
        case let error as HTTPClientError where Self.timeouts.contains(error):
            self.init(.timedOut, "Clerk did not answer in time: \(error.shortDescription).")
        case let error as HTTPClientError:
            self.init(.unreachable, "Clerk could not be reached: \(error.shortDescription).")
        default: self.init(.unreachable, "Clerk could not be reached: \(error).")
        }
    }

    private static let timeouts: [HTTPClientError] = [
        .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout, .readTimeout, .writeTimeout,
        .deadlineExceeded,
    ]
}

extension ClerkBackendError: CustomStringConvertible {
    /// One line with all that is known.
    package var description: String {
        let details = [("status", httpStatus.map(String.init)), ("code", code), ("trace", traceID)]
            .compactMap { name, value in value.map { "\(name) \($0)" } }
        return details.isEmpty ? message : "\(message) (\(details.joined(separator: ", ")))"
    }
}
