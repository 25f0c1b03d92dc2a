import AsyncHTTPClient
import JSONValue
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import TollgateCore
import TollgateDev

let standInLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A clock that stands still until a test moves it.
final class StandInTime: TimeSource {
    private let current = Mutex(UnixTime(seconds: 1_764_198_000))

    func now() -> UnixTime { current.withLock(\.self) }
    func advance(milliseconds: Int64) {
        current.withLock { $0 = UnixTime(milliseconds: $0.milliseconds + milliseconds) }
    }
}

/// One API as its callers see it, with what every call carries.
struct APIClient {
    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let body: String

        func header(_ name: String) -> String? { headers.first(name: name) }

        /// Null when the body is no JSON.
        var json: JSON {
            JSON(parsing: body.utf8) ?? .null
        }
    }

    let url: String
    var headers: [String: String] = [:]

    func get(_ path: String, timeout: Duration = .seconds(20)) async throws -> Answer {
        try await send("GET", path, timeout: timeout)
    }

    /// - Parameter type: The body's content type.
    func send(
        _ method: String, _ path: String, body: String? = nil, type: String? = nil,
        headers more: [String: String] = [:],
        timeout: Duration = .seconds(20)
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: path.hasPrefix("http") ? path : url + path)
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers.merging(more, uniquingKeysWith: { $1 }) {
            request.headers.add(name: name, value: value)
        }
        if let type { request.headers.add(name: "Content-Type", value: type) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await Self.client.execute(request, timeout: TimeAmount(timeout))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        return Answer(status: Int(response.status.code), headers: response.headers, body: text)
    }

    /// One for all tests. Connections end with their request: a server that stops need not wait for them.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool.idleTimeout = .milliseconds(100)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}
