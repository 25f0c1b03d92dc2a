import JSONValue
package import NIOHTTP1
import OutboundCalls

/// An HTTP answer that came instead of none, not yet understood.
package struct StripeAnswer: Sendable {
    /// The HTTP status.
    package let status: Int

    /// The header `Stripe-Should-Retry`, with which Stripe overrules what the status suggests.
    let shouldRetry: Bool?

    /// The header `Retry-After`, if it is a number.
    package let retryAfterSeconds: Int?

    /// The header `Request-Id`.
    package let requestID: String?

    private let contentType: String?
    private let body: [UInt8]

    /// An answer with everything that is read of it.
    package init(status: Int, headers: HTTPHeaders, body: [UInt8]) {
        self.status = status
        self.body = body
        shouldRetry = headers.first(name: "stripe-should-retry").flatMap { Bool($0) }
        retryAfterSeconds = RetryAfter.seconds(headers.first(name: "retry-after"))
        requestID = headers.first(name: "request-id")
        contentType = headers.first(name: "content-type")
    }

    /// Whether what was asked for has been done.
    var isSuccess: Bool { 200..<300 ~= status }

    /// What Stripe says.
    ///
    /// - Parameter secret: Blotted out should Stripe, or a proxy in between, repeat it in an error.
    /// - Throws: ``CallError`` when it says no, or when the answer is not Stripe's.
    func value(hiding secret: String) throws(CallError) -> JSON {
        guard let value = JSON(parsingUTF8: body), case .object = value else { throw foreign }
        guard !isSuccess else { return value }
        throw refusal(value["error"], hiding: secret)
    }

    /// An error of this answer because of `member`, which it should have.
    func lacks(_ member: String) -> CallError {
        unintelligible("Stripe's answer has no '\(member)', or one of another type.")
    }

    private func refusal(_ error: JSON, hiding secret: String) -> CallError {
        func quoted(_ member: String) -> String? {
            error[member].nonEmptyString.map { CallError.quoted($0, hiding: secret) }
        }
        return CallError(
            .stripe, .refused, quoted("message") ?? "Stripe answered without saying what is wrong.",
            httpStatus: status,
            details: [
                .type: quoted("type"), .code: quoted("code"), .parameter: quoted("param"), .requestID: requestID,
            ])
    }

    /// The body stays out of it: it is the page of a proxy in between, of any length.
    private var foreign: CallError {
        let isMarkup = contentType?.lowercased().hasPrefix("text/html") == true || body.first == UInt8(ascii: "<")
        return unintelligible(
            "The answer is \(isMarkup ? "HTML" : "something else") instead of Stripe's JSON; "
                + "is a proxy in between, or STRIPE_API_URL wrong?")
    }

    private func unintelligible(_ message: String) -> CallError {
        CallError(.stripe, .unintelligible, message, httpStatus: status, details: [.requestID: requestID])
    }
}
