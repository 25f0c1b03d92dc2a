package import AsyncHTTPClient
import JSONValue
import Libcrypto
package import Logging
import NIOHTTP1
package import OutboundCalls
import PercentCoding
package import TollgateCore

/// The few calls of Stripe's API that selling a subscription takes.
///
/// A call that may have been lost on the way is made again, with the same idempotency key, so that it happens once.
package struct StripeClient: Sendable {
    /// Stripe itself; anything else is a stand-in.
    static let defaultURL = "https://api.stripe.com"

    /// Stripe answers within a second or two; a user waits for it.
    package static let timeLimits = CallTimeLimits(call: .seconds(10), attempt: .seconds(6))

    /// Whether the key moves money.
    package let isLive: Bool

    let transport: StripeTransport

    /// - Parameters:
    ///   - secretKey: `sk_…`, or a restricted key `rk_…` that may write customers, checkout sessions and portal sessions
    ///     and read subscriptions. It appears in no description and no error.
    ///   - apiURL: Without a slash at its end.
    ///   - httpClient: Must not follow redirects, or a form could be sent somewhere else.
    ///   - sleep: Waits between tries. Ends the call when it throws.
    package init(
        secretKey: String, apiURL: String = Self.defaultURL, httpClient: HTTPClient, logger: Logger,
        timeLimits: CallTimeLimits = Self.timeLimits,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        isLive = secretKey.hasPrefix("sk_live_") || secretKey.hasPrefix("rk_live_")
        transport = StripeTransport(
            secretKey: secretKey, apiURL: apiURL, httpClient: httpClient, logger: logger, timeLimits: timeLimits,
            sleep: sleep)
    }

    /// Makes a page on which a user subscribes.
    ///
    /// - Parameter idempotencyKey: At most 255 characters. For a day the same key gives the same answer, a failure
    ///   too: so it names the user, what is bought and a few minutes' window, never the user alone.
    package func createCheckoutSession(
        _ checkout: CheckoutRequest, idempotencyKey: String
    ) async throws(CallError) -> CheckoutSession {
        let call = StripeCall(
            method: .POST, path: "/v1/checkout/sessions", form: checkout.form, idempotencyKey: idempotencyKey)
        return try await transport.send(call) { session throws(UnexpectedShape) in
            CheckoutSession(
                id: try session.required("id", \.nonEmptyString), url: try session.required("url", \.nonEmptyString))
        }
    }

    /// Makes a page on which a customer sees invoices, changes the card, or cancels. Returns its URL, good for minutes.
    ///
    /// - Parameter idempotencyKey: Another one for each page, for an old page is of no use.
    package func createPortalSession(
        customerID: String, returnURL: String, idempotencyKey: String = RandomBytes.hex(count: 16)
    ) async throws(CallError) -> String {
        let call = StripeCall(
            method: .POST, path: "/v1/billing_portal/sessions",
            form: ["customer": .text(customerID), "return_url": .text(returnURL)], idempotencyKey: idempotencyKey)
        return try await transport.send(call) { session throws(UnexpectedShape) in
            try session.required("url", \.nonEmptyString)
        }
    }

    /// The user whom a customer's metadata names. Nil when it names none, when Stripe has no such customer, and for a
    /// restricted key that may not read customers.
    package func user(ofCustomer id: String) async throws(CallError) -> UserID? {
        guard let segment = PercentEncoding.pathSegment(id) else { return nil }
        let call = StripeCall(method: .GET, path: "/v1/customers/" + segment)
        do {
            return try await transport.send(call) { object in
                object["metadata"].strings["userId"].flatMap { UserID($0) }
            }
        } catch {
            guard error.httpStatus == 403 || error.httpStatus == 404, error.type == "invalid_request_error" else {
                throw error
            }
            return nil
        }
    }

    /// The subscription as it is now. Nil when Stripe has none of that id, and for what can be no id.
    package func subscription(id: String) async throws(CallError) -> SubscriptionFacts? {
        guard let segment = PercentEncoding.pathSegment(id) else { return nil }
        let call = StripeCall(method: .GET, path: "/v1/subscriptions/" + segment)
        do {
            return try await transport.send(call) { object throws(UnexpectedShape) in
                try SubscriptionFacts(subscription: object)
            }
        } catch {
            // Any server says 404; only Stripe says why.
            guard error.httpStatus == 404, error.type == "invalid_request_error" else { throw error }
            return nil
        }
    }
}

extension StripeClient: CustomStringConvertible, CustomReflectable {
    /// Where it leads, and whether that is about money.
    package var description: String { "\(transport) in \(isLive ? "live" : "test") mode" }

    /// Without the key.
    package var customMirror: Mirror { Mirror(self, children: ["apiURL": transport.apiURL, "isLive": isLive]) }
}
