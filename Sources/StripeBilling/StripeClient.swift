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
    ///   - pace: What each call waits for, for work that no user waits for.
    ///   - sleep: Waits between tries. Ends the call when it throws.
    package init(
        secretKey: String, apiURL: String = Self.defaultURL, httpClient: HTTPClient, logger: Logger,
        timeLimits: CallTimeLimits = Self.timeLimits, pace: CallPace? = nil, outage: ServiceOutage? = nil,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        isLive = secretKey.hasPrefix("sk_live_") || secretKey.hasPrefix("rk_live_")
        transport = StripeTransport(
            secretKey: secretKey, apiURL: apiURL, httpClient: httpClient, logger: logger, timeLimits: timeLimits,
            pace: pace, outage: outage, sleep: sleep)
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

    /// The subscription whose period a payment was for, and when that period was invoiced. Nil for a payment of anything
    /// else, such as of the difference when a subscription was changed.
    ///
    /// - Parameter paymentID: `pi_…`
    package func period(paidBy paymentID: String) async throws(CallError) -> InvoicedPeriod? {
        guard let payment = PercentEncoding.pathSegment(paymentID) else { return nil }
        let path = "/v1/invoice_payments?payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=\(payment)"
        let found = try await transport.send(StripeCall(method: .GET, path: path)) { list in
            (list["data"].elements ?? []).lazy.compactMap { $0["invoice"].identifier }.first
        }
        guard let invoice = found.flatMap({ PercentEncoding.pathSegment($0) }) else { return nil }
        return try await transport.send(StripeCall(method: .GET, path: "/v1/invoices/" + invoice)) { object in
            guard let subscriptionID = SubscriptionFacts(invoice: object).subscriptionID,
                let invoicedAt = object["created"].moment
            else { return nil }
            switch object["billing_reason"].string {
            case "subscription_create", "subscription_cycle", "subscription":
                return InvoicedPeriod(subscriptionID: subscriptionID, invoicedAt: invoicedAt, beginsPeriod: false)
            // Of a change within a period, unless the change has begun one, as from a month to a year.
            case "subscription_update":
                return InvoicedPeriod(subscriptionID: subscriptionID, invoicedAt: invoicedAt, beginsPeriod: true)
            // What was paid besides is not the period.
            default: return nil
            }
        }
    }

    /// - Parameter id: `in_…`
    package func invoice(id: String) async throws(CallError) -> StripeInvoice {
        let segment = PercentEncoding.pathSegment(id) ?? "-"
        return try await transport.send(StripeCall(method: .GET, path: "/v1/invoices/" + segment)) { object in
            StripeInvoice(
                isPaid: object["status"].string == "paid",
                finalizedAt: object["status_transitions"]["finalized_at"].moment)
        }
    }

    /// The subscription as it is now. Nil when Stripe has none of that id, and for what can be no id.
    package func subscription(id: String) async throws(CallError) -> SubscriptionFacts? {
        guard let segment = PercentEncoding.pathSegment(id) else { return nil }
        let call = StripeCall(method: .GET, path: "/v1/subscriptions/" + segment)
        do {
            return try await transport.send(call) { object throws(UnexpectedShape) in
                let facts = try SubscriptionFacts(subscription: object)
                guard facts.subscriptionID == id else { throw UnexpectedShape(member: "id") }
                return facts
            }
        } catch {
            // Any server says 404; only Stripe says why.
            guard error.httpStatus == 404, error.type == "invalid_request_error" else { throw error }
            return nil
        }
    }
}

/// A period of a subscription, as an invoice tells of it.
package struct InvoicedPeriod: Sendable, Hashable {
    /// `sub_…`
    package let subscriptionID: String

    /// When the invoice was made: when the period began, or not long after.
    package let invoicedAt: UnixTime

    /// It counts for a period that began when it was made, and for no other.
    package let beginsPeriod: Bool

    /// A change that begins a period is invoiced at once.
    private static let secondsUntilInvoiced: Int64 = 60

    /// Whether it was made for `period`.
    package func isOf(_ period: SubscriptionPeriod) -> Bool {
        guard invoicedAt >= period.start else { return false }
        return !beginsPeriod || invoicedAt <= period.start.adding(seconds: Self.secondsUntilInvoiced)
    }
}

/// An invoice, as far as it tells whether something is owed.
package struct StripeInvoice: Sendable, Hashable {
    package let isPaid: Bool

    /// When it began to be due. Nil for a draft.
    package let finalizedAt: UnixTime?
}

extension StripeClient: CustomStringConvertible, CustomReflectable {
    /// Where it leads, and whether that is about money.
    package var description: String { "\(transport) in \(isLive ? "live" : "test") mode" }

    /// Without the key.
    package var customMirror: Mirror { Mirror(self, children: ["apiURL": transport.apiURL, "isLive": isLive]) }
}
