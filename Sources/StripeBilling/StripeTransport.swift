import AsyncHTTPClient
import JSONValue
import Logging
import NIOCore
import NIOHTTP1
import OutboundCalls

/// One call of Stripe's API: what is asked, not how it gets there.
struct StripeCall: Sendable {
    let method: HTTPMethod
    let path: String
    var form: FormValue?
    var idempotencyKey: String?

    /// A page of many objects is asked for.
    var isList = false
}

/// Carries calls to Stripe, again where that may help, and reads the answers. The only holder of the key.
struct StripeTransport: Sendable {
    /// All shapes of answers are those of this version, whatever the account's default is.
    static let apiVersion = "2026-10-28.endive"

    /// The largest objects that are asked for take some 10 KB.
    static let maximumBodyBytes = 1 << 20

    /// A page has a hundred of them.
    static let maximumListBytes = 16 << 20

    let apiURL: String
    let timeLimits: CallTimeLimits
    let sleep: @Sendable (Duration) async throws -> Void

    /// What each try waits for. Nil when a user waits for the answer.
    private let pace: CallPace?

    private let secretKey: String
    private let httpClient: HTTPClient
    private let logger: Logger
    private let outage: ServiceOutage?

    init(
        secretKey: String, apiURL: String, httpClient: HTTPClient, logger: Logger, timeLimits: CallTimeLimits,
        pace: CallPace?, outage: ServiceOutage?, sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.secretKey = secretKey
        self.apiURL = apiURL
        self.httpClient = httpClient
        self.logger = logger
        self.outage = outage
        self.timeLimits = timeLimits
        self.pace = pace
        self.sleep = sleep
    }

    /// What `read` makes of the answer to `call`.
    func send<Value>(
        _ call: StripeCall, read: (JSON) throws(UnexpectedShape) -> Value
    ) async throws(CallError) -> Value {
        let answer = try await answer(to: call)
        let value = try answer.value(hiding: secretKey)
        do {
            return try read(value)
        } catch {
            throw answer.lacks(error.member)
        }
    }

    private func answer(to call: StripeCall) async throws(CallError) -> StripeAnswer {
        try await retrying(within: timeLimits, sleep: sleep) { retries, answer in
            answer?.isSuccess == true
                ? nil : StripeRetryPolicy.delay(afterRetries: retries, answer: answer, jitter: .random(in: 0...1))
        } attempt: { limit in
            await attempt(call, within: limit)
        }
    }

    private func attempt(_ call: StripeCall, within limit: Duration) async -> Result<StripeAnswer, CallError> {
        var metadata: Logger.Metadata = ["method": "\(call.method)", "path": "\(call.path)"]
        do {
            try await pace?.turn()
            let answer = try await withTimeLimit(limit) { try await fetch(call, within: limit) }
            metadata["status"] = "\(answer.status)"
            metadata["stripe-request"] = answer.requestID.map { "\($0)" }
            logger.debug("Stripe answered", metadata: metadata)
            outage?.heard(failure(of: answer), from: .stripe)
            return .success(answer)
        } catch {
            let error = CallError(error, calling: .stripe, at: apiURL)
            metadata["error"] = "\(error)"
            logger.debug("Stripe did not answer", metadata: metadata)
            outage?.heard(error, from: .stripe)
            return .failure(error)
        }
    }

    /// Nil for what was asked for.
    private func failure(of answer: StripeAnswer) -> CallError? {
        guard !answer.isSuccess else { return nil }
        do throws(CallError) {
            _ = try answer.value(hiding: secretKey)
            return nil
        } catch {
            return error
        }
    }

    private func fetch(_ call: StripeCall, within limit: Duration) async throws -> StripeAnswer {
        var request = HTTPClientRequest(url: apiURL + call.path)
        request.method = call.method
        request.headers.add(name: "authorization", value: "Bearer \(secretKey)")
        request.headers.add(name: "stripe-version", value: Self.apiVersion)
        request.headers.add(name: "accept", value: "application/json")
        if let key = call.idempotencyKey { request.headers.add(name: "idempotency-key", value: key) }
        if let form = call.form {
            request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: form.encoded))
        }
        let response = try await httpClient.execute(request, timeout: TimeAmount(limit))
        let body = try await response.body.collect(
            upTo: call.isList ? Self.maximumListBytes : Self.maximumBodyBytes)
        return StripeAnswer(
            status: Int(response.status.code), headers: response.headers, body: Array(body.readableBytesView))
    }
}

extension StripeTransport: CustomStringConvertible, CustomReflectable {
    /// Where it leads. The key is left out, here and from reflection.
    var description: String { "Stripe at \(apiURL)" }

    var customMirror: Mirror { Mirror(self, children: ["apiURL": apiURL]) }
}
