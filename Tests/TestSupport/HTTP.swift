import AsyncHTTPClient
import JSONValue
import NIOCore
import NIOHTTP1

/// Ordinary requests, with connections kept open between them.
package enum HTTP {
    package struct Answer: Sendable {
        package let status: Int
        package let headers: [String: String]
        package let body: String

        /// A member of the JSON object that the body is.
        package func member(_ name: String) -> String? {
            switch JSON(parsing: body.utf8)?[name] {
            case .string(let text): text
            case .bool(let flag): "\(flag)"
            case .integer(let integer): "\(integer)"
            default: nil
            }
        }
    }

    package static func get(_ path: String, port: Int, headers: [(String, String)] = []) async throws -> Answer {
        try await send("GET", path, port: port, headers: headers)
    }

    /// `POST /verify-auth` with a bearer token.
    package static func verify(_ token: String?, port: Int) async throws -> Answer {
        try await send(
            "POST", "/verify-auth", port: port, headers: token.map { [("Authorization", "Bearer \($0)")] } ?? [])
    }

    package static func send(
        _ method: String, _ path: String, port: Int, headers: [(String, String)] = [], body: String? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await client.execute(request, timeout: .seconds(20))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        let fields = response.headers.map { ($0.name.lowercased(), $0.value) }
        return Answer(
            status: Int(response.status.code), headers: Dictionary(fields) { first, second in "\(first), \(second)" },
            body: text)
    }

    /// One for all tests: 64 connections to each worker and more, and no retries of its own.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}
