import AsyncHTTPClient
import NIOCore

/// How a call of another company's API failed. The raw value is the label of the metric.
package enum CallFailure: String, Sendable, Hashable, CaseIterable {
    /// They answered, and said no or that they have a fault. The status tells which.
    case refused

    /// No connection, or it broke.
    case unreachable

    /// No answer in time.
    case timedOut = "timed-out"

    /// An answer that is not theirs: HTML, or JSON without what was asked for.
    case unintelligible

    /// The caller gave up.
    case cancelled

    /// What the HTTP client threw, in few words: its own descriptions may repeat a header.
    ///
    /// - Parameter party: Whose API was called, for people.
    package static func explained(
        _ error: any Error, calling party: String
    ) -> (failure: CallFailure, message: String) {
        switch error {
        case _ where Task.isCancelled: (.cancelled, "The call of \(party) was cancelled.")
        case is TimeLimitExceeded: (.timedOut, "\(party) did not answer in time.")
        case let error as NIOTooManyBytesError:
            (.unintelligible, "\(party)'s answer is longer than \(error.maxBytes ?? 0) bytes.")
        case let error as HTTPClientError where timeouts.contains(error):
            (.timedOut, "\(party) did not answer in time: \(error.shortDescription).")
        case let error as HTTPClientError:
            (.unreachable, "\(party) could not be reached: \(error.shortDescription).")
        default: (.unreachable, "\(party) could not be reached: \(error).")
        }
    }

    private static let timeouts: [HTTPClientError] = [
        .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout, .readTimeout, .writeTimeout,
        .deadlineExceeded,
    ]
}
