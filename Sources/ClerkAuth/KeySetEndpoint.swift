package import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import OutboundCalls

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where the key set is read over HTTP.
package struct KeySetEndpoint: Sendable {
    /// For all of it, from connecting to the last byte. Requests wait meanwhile.
    static let defaultTimeout: Duration = .seconds(5)

    /// A key is half a kilobyte; whatever is larger than this is no key set.
    package static let maximumBodyBytes = 1 << 20

    /// What is asked.
    package let url: String
    private let bearerSecret: String?
    private let httpClient: HTTPClient
    private let timeout: Duration

    /// - Parameter bearerSecret: Sent along, for the backend API. The frontend API asks for none.
    package init(
        url: String, bearerSecret: String?, httpClient: HTTPClient, timeout: Duration = Self.defaultTimeout
    ) {
        self.url = url
        self.bearerSecret = bearerSecret
        self.httpClient = httpClient
        self.timeout = timeout
    }

    /// Loads the keys by name.
    ///
    package func load() async throws(KeySetProblem) -> [String: VerificationKey] {
        do {
            return try await read(try await withTimeLimit(timeout) { try await fetch() })
        } catch let problem as KeySetProblem {
            throw problem
        } catch is DecodingError {
            throw KeySetProblem("the answer is no key set")
        } catch {
            throw KeySetProblem(CallError(error, calling: .clerk, at: url).message.trimmingPeriod)
        }
    }

    private func read(_ body: [UInt8]) async throws -> [String: VerificationKey] {
        let document = try JSONDecoder().decode(KeySetDocument.self, from: Data(body))
        var keys: [String: VerificationKey] = [:]
        for (name, key) in document.keys { keys[name] = try await VerificationKey(key) }
        // An instance always has a key. Believing that it has none would sign every user out.
        guard !keys.isEmpty else { throw KeySetProblem("the answer holds no RSA key for RS256") }
        return keys
    }

    private func fetch() async throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "accept", value: "application/json")
        if let bearerSecret { request.headers.add(name: "authorization", value: "Bearer \(bearerSecret)") }
        let response = try await httpClient.execute(request, timeout: TimeAmount(timeout))
        guard response.status == .ok else { throw KeySetProblem("the answer's status is \(response.status.code)") }
        let body = try await response.body.collect(upTo: Self.maximumBodyBytes)
        return Array(body.readableBytesView)
    }
}

extension String {
    /// A sentence as a clause.
    fileprivate var trimmingPeriod: String { hasSuffix(".") ? String(dropLast()) : self }
}

/// Why a key set could not be loaded, for the operator's log.
package struct KeySetProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// Half a sentence that names the cause.
    package let description: String

    /// A problem with this cause.
    package init(_ description: String) { self.description = description }
}
