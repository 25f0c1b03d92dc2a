import HTTPTypes
import Hummingbird
import ServiceLifecycle
import Synchronization

/// What a stand-in does instead of its work, so that tests see how their code takes it.
package enum Fault: Sendable, Hashable {
    /// This status, with an error in the API's own shape.
    case status(Int, retryAfterSeconds: Int? = nil)

    /// This status, with a page as a proxy in between would answer.
    case html(Int)

    /// The work, but only after so long. Long enough, and the caller sees it hang; the work is done all the same, as
    /// when an answer is lost. A graceful shutdown ends the wait.
    case stall(Duration)
}

/// The faults that a stand-in has still to commit.
package final class FaultPlan: Sendable {
    private struct Entry {
        let fault: Fault
        let pathPrefix: String
        var remaining: Int
    }

    private let entries = Mutex<[Entry]>([])

    /// - Parameter pathPrefix: Requests to other paths are answered normally.
    package func inject(_ fault: Fault, times: Int = 1, pathPrefix: String = "/v1/") {
        entries.withLock { $0.append(Entry(fault: fault, pathPrefix: pathPrefix, remaining: times)) }
    }

    /// From now on everything works.
    package func clear() { entries.withLock { $0.removeAll() } }

    /// Answers a request with the fault that is due, if any.
    ///
    /// - Parameter error: The API's own error with this status and `Retry-After`.
    func answer(
        path: String, error: (HTTPResponse.Status, _ retryAfterSeconds: Int?) -> Response
    ) async throws -> Response? {
        switch take(path: path) {
        case nil:
            return nil
        case .status(let code, let retryAfterSeconds):
            return error(HTTPResponse.Status(code: code), retryAfterSeconds)
        case .html(let code):
            return HTMLPage(title: "\(code)", body: "<p>A proxy was here.</p>")
                .response(status: HTTPResponse.Status(code: code))
        case .stall(let duration):
            try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
            return nil
        }
    }

    private func take(path: String) -> Fault? {
        entries.withLock { entries in
            guard let index = entries.firstIndex(where: { path.hasPrefix($0.pathPrefix) && $0.remaining > 0 }) else {
                return nil
            }
            entries[index].remaining -= 1
            return entries[index].fault
        }
    }
}
