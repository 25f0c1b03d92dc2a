package import AsyncHTTPClient
import JSONValue
package import Logging
import NIOCore
import NIOHTTP1
package import OutboundCalls
import PercentCoding
package import TollgateCore

/// Clerk's Backend API, as far as billing needs it: what a user bought becomes part of their tokens.
///
/// https://clerk.com/docs/reference/backend-api
package struct ClerkBackend: Sendable {
    /// What `Clerk-API-Version` asks for, whatever the instance's default is.
    static let apiVersion = "2026-05-12"

    /// Short, for Stripe's delivery of a webhook waits for these calls.
    package static let timeLimits = CallTimeLimits(call: .seconds(4), attempt: .seconds(3))

    /// A user with all metadata takes some 20 KB.
    private static let maximumBodyBytes = 1 << 20

    private let apiURL: String
    private let secretKey: String
    private let httpClient: HTTPClient
    private let logger: Logger
    private let timeLimits: CallTimeLimits
    private let outage: ServiceOutage?

    /// - Parameters:
    ///   - apiURL: Without a slash at its end.
    ///   - secretKey: `sk_…`. It appears in no description and no error.
    ///   - httpClient: Must not follow redirects.
    ///   - outage: Is told how each try of a call has ended.
    package init(
        apiURL: String, secretKey: String, httpClient: HTTPClient, logger: Logger,
        timeLimits: CallTimeLimits = Self.timeLimits, outage: ServiceOutage? = nil
    ) {
        self.outage = outage
        self.apiURL = apiURL
        self.secretKey = secretKey
        self.httpClient = httpClient
        self.logger = logger
        self.timeLimits = timeLimits
    }

    /// Merges `metadata` into the user's public metadata; what others keep there stays. May be repeated.
    ///
    /// - Returns: False when Clerk knows no such user: they were deleted, and there is nothing left to tell.
    @discardableResult
    package func merge(_ metadata: BillingMetadata, into user: UserID) async throws(CallError) -> Bool {
        // What can be no segment of a path can be no user either.
        guard let segment = PercentEncoding.pathSegment(user.value) else { return false }
        let body: JSON = ["public_metadata": metadata.json]
        let answer = try await answer(path: "/v1/users/\(segment)/metadata", body: body.text)
        if answer.status == 404 { return false }
        guard answer.isSuccess else { throw answer.refusal(hiding: secretKey) }
        return true
    }

    private func answer(path: String, body: String) async throws(CallError) -> ClerkAnswer {
        try await retrying(within: timeLimits, sleep: { try await Task.sleep(for: $0) }) { retries, answer in
            ClerkRetryPolicy.delay(afterRetries: retries, answer: answer, jitter: .random(in: 0...1))
        } attempt: { limit in
            await attempt(path: path, body: body, within: limit)
        }
    }

    private func attempt(
        path: String, body: String, within limit: Duration
    ) async -> Result<ClerkAnswer, CallError> {
        do {
            let answer = try await withTimeLimit(limit) { try await patch(path: path, body: body, within: limit) }
            logger.debug("Clerk answered", metadata: ["path": "\(path)", "status": "\(answer.status)"])
            outage?.heard(answer.status >= 500 ? answer.refusal(hiding: secretKey) : nil, from: .clerk)
            return .success(answer)
        } catch {
            let error = CallError(error, calling: .clerk, at: apiURL)
            logger.debug("Clerk did not answer", metadata: ["path": "\(path)", "error": "\(error)"])
            outage?.heard(error, from: .clerk)
            return .failure(error)
        }
    }

    private func patch(path: String, body: String, within limit: Duration) async throws -> ClerkAnswer {
        var request = HTTPClientRequest(url: apiURL + path)
        request.method = .PATCH
        request.headers.add(name: "authorization", value: "Bearer \(secretKey)")
        request.headers.add(name: "clerk-api-version", value: Self.apiVersion)
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: body))
        let response = try await httpClient.execute(request, timeout: TimeAmount(limit))
        let answer = try await response.body.collect(upTo: Self.maximumBodyBytes)
        return ClerkAnswer(
            status: Int(response.status.code), headers: response.headers, body: Array(answer.readableBytesView))
    }
}

extension ClerkBackend: CustomStringConvertible, CustomReflectable {
    /// Where it leads.
    package var description: String { "Clerk at \(apiURL)" }

    /// Without the key.
    package var customMirror: Mirror { Mirror(self, children: ["apiURL": apiURL]) }
}

/// What billing keeps in a user's public metadata. Nil leaves alone what is there.
package struct BillingMetadata: Sendable, Hashable {
    /// The name of the plan that the user has.
    package var plan: String

    /// `cus_…`
    package var stripeCustomerId: String?

    /// `sub_…`
    package var subscriptionId: String?

    package init(plan: String, stripeCustomerId: String? = nil, subscriptionId: String? = nil) {
        self.plan = plan
        self.stripeCustomerId = stripeCustomerId
        self.subscriptionId = subscriptionId
    }

    fileprivate var json: JSON {
        var json: JSON = ["plan": .string(plan)]
        if let stripeCustomerId { json["stripeCustomerId"] = .string(stripeCustomerId) }
        if let subscriptionId { json["subscriptionId"] = .string(subscriptionId) }
        return json
    }
}
