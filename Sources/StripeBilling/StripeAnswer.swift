import JSONValue
import NIOHTTP1
import OutboundCalls

/// An HTTP answer that came instead of none, not yet understood.
package struct StripeAnswer: Sendable {
    /// Longer messages are cut: they go to a log.
    private static let maximumMessageLength = 500

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
    /// - Throws: ``StripeError`` when it says no, or when the answer is not Stripe's.
    func value(hiding secret: String) throws(StripeError) -> JSON {
        guard let value = JSON(parsingUTF8: body), case .object = value else { throw unintelligible }
        guard !isSuccess else { return value }
        throw refusal(value["error"], hiding: secret)
    }

    /// An error of this answer because of `member`, which it should have.
    func lacks(_ member: String) -> StripeError {
        located(StripeError(.unintelligible, "Stripe's answer has no '\(member)', or one of another type."))
    }

    private func refusal(_ error: JSON, hiding secret: String) -> StripeError {
        func readable(_ text: String?) -> String? {
            text.map { String($0.replacing(secret, with: "[key]").prefix(Self.maximumMessageLength)) }
        }
        let message = readable(error["message"].nonEmptyString) ?? "Stripe answered without saying what is wrong."
        var refusal = located(StripeError(.refused, message))
        refusal.type = readable(error["type"].nonEmptyString)
        refusal.code = readable(error["code"].nonEmptyString)
        refusal.parameter = readable(error["param"].nonEmptyString)
        return refusal
    }

    /// The body stays out of it: it is the page of a proxy in between, of any length.
    private var unintelligible: StripeError {
        let isMarkup = contentType?.lowercased().hasPrefix("text/html") == true || body.first == UInt8(ascii: "<")
        return located(
            StripeError(
                .unintelligible,
                "The answer is \(isMarkup ? "HTML" : "something else") instead of Stripe's JSON; "
                    + "is a proxy in between, or STRIPE_API_URL wrong?"))
    }

    private func located(_ error: StripeError) -> StripeError {
        var error = error
        error.httpStatus = status
        error.requestID = requestID
        return error
    }
}
