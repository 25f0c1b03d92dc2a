import AsyncHTTPClient
import ConnectionFailures
import NIOCore

/// A company whose API is called.
package struct CalledService: Sendable, Hashable {
    /// As people know it.
    package let name: String

    /// HTTP statuses besides 429 and those from 500 on that another try may get past.
    package let temporaryStatuses: Set<Int>

    package init(name: String, temporaryStatuses: Set<Int> = []) {
        (self.name, self.temporaryStatuses) = (name, temporaryStatuses)
    }
}

/// Why a call of another company's API did not succeed. For the operator's log; it never holds our key.
package struct CallError: Error, Sendable, Hashable {
    /// What went wrong. The raw value is the label of the metric.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
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
    }

    /// The name of something that a service tells about a failure. Each service has some of its own beside these.
    package struct Detail: Sendable, Hashable {
        /// The service's own word for what is wrong, such as `resource_missing`.
        package static let code = Detail("code")

        fileprivate let label: String

        /// - Parameter label: What stands before the value in the log.
        package init(_ label: String) { self.label = label }
    }

    private struct DetailValue: Sendable, Hashable {
        let detail: Detail
        let value: String
    }

    /// Longer texts are cut: they go to a log.
    private static let maximumTextLength = 500

    /// Whose API was called.
    package let service: CalledService

    /// What went wrong.
    package let kind: Kind

    /// One sentence: the service's own, or ours.
    package let message: String

    /// Nil when there was no answer.
    package let httpStatus: Int?

    private let told: [DetailValue]

    /// - Parameter details: What the service tells besides, in the order of the log. Nil for what it does not.
    package init(
        _ service: CalledService, _ kind: Kind, _ message: String, httpStatus: Int? = nil,
        details: KeyValuePairs<Detail, String?> = [:]
    ) {
        (self.service, self.kind, self.message, self.httpStatus) = (service, kind, message, httpStatus)
        told = details.compactMap { detail, value in value.map { DetailValue(detail: detail, value: $0) } }
    }

    /// What the HTTP client threw, in few words: its own descriptions may repeat a header.
    ///
    /// - Parameter url: What was asked. No more than the place is told of it.
    package init(_ error: any Error, calling service: CalledService, at url: String) {
        let place = CalledPlace(url)
        switch error {
        case _ where Task.isCancelled: self.init(service, .cancelled, "The call of \(service.name) was cancelled.")
        case let error as NIOTooManyBytesError:
            self.init(
                service, .unintelligible, "\(service.name)'s answer is longer than \(error.maxBytes ?? 0) bytes.")
        case is TimeLimitExceeded: self.init(service, .timedOut, "\(place) did not answer in time.")
        case let error as HTTPClientError where Self.timeouts.contains(error):
            self.init(service, .timedOut, "\(place) did not answer in time.")
        default: self.init(service, .unreachable, "\(place) could not be reached: \(Self.reason(error)).")
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError where error == .remoteConnectionClosed: "it closed the connection"
        case let error as HTTPClientError: error.shortDescription
        default: ConnectionFailure(error).description
        }
    }

    private static let timeouts: [HTTPClientError] = [
        .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout, .readTimeout, .writeTimeout,
        .deadlineExceeded,
    ]

    /// A service's text, fit for a log: without our key, should the service or a proxy repeat it, and not too long.
    package static func quoted(_ text: String, hiding secret: String) -> String {
        String(text.replacing(secret, with: "[key]").prefix(maximumTextLength))
    }

    /// What the service told of `detail`, if it did.
    package subscript(detail: Detail) -> String? { told.first { $0.detail == detail }?.value }

    /// The service's own word for what is wrong.
    package var code: String? { self[.code] }

    /// Another try may succeed, with everything as it is.
    package var isTemporary: Bool {
        switch kind {
        case .unreachable, .timedOut: true
        case .refused, .unintelligible:
            httpStatus.map { $0 == 429 || $0 >= 500 || service.temporaryStatuses.contains($0) } ?? false
        case .cancelled: false
        }
    }
}

extension CallError: CustomStringConvertible {
    /// One line with all that is known.
    package var description: String {
        let details = (httpStatus.map { ["status \($0)"] } ?? []) + told.map { "\($0.detail.label) \($0.value)" }
        // What the service says of itself does not name it.
        let text = kind == .refused && !message.contains(service.name) ? "\(service.name) said: \(message)" : message
        return details.isEmpty ? text : "\(text) (\(details.joined(separator: ", ")))"
    }
}
