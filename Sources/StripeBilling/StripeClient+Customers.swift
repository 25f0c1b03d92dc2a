import JSONValue
import Libcrypto
import NIOHTTP1
package import OutboundCalls
import PercentCoding
package import TollgateCore

/// A checkout session that a customer was given, as far as it matters for the next.
package struct GivenCheckoutSession: Sendable, Hashable {
    /// `cs_…`
    package let id: String

    /// It can still be paid, on the page `url`.
    package let isOpen: Bool
    let url: String?

    /// What its metadata names: who buys, which plan, and at which price.
    let userID: UserID?
    let tier: String?
    let priceID: String?

    let successURL: String?
    let cancelURL: String?
    let expiresAt: UnixTime?

    init(_ object: JSON) throws(UnexpectedShape) {
        let metadata = object["metadata"].strings
        id = try object.required("id", \.nonEmptyString)
        isOpen = object["status"].string == "open" && object["mode"].string == "subscription"
        url = object["url"].nonEmptyString
        userID = metadata["userId"].flatMap { UserID($0) }
        tier = metadata["tier"]
        priceID = metadata["priceId"]
        successURL = object["success_url"].nonEmptyString
        cancelURL = object["cancel_url"].nonEmptyString
        expiresAt = object["expires_at"].moment
    }

    /// A page of ours, on which the user can still buy something: not one that the operator has made.
    package func isOpenPage(of user: UserID) -> Bool { isOpen && userID == user }

    /// The page, if it sells what `checkout` asks for, and does so for a while yet.
    package func page(for checkout: CheckoutRequest, at now: UnixTime) -> CheckoutSession? {
        guard let url, let expiresAt, isOpenPage(of: checkout.userID), tier == checkout.tier,
            priceID == checkout.priceID, successURL == checkout.successURL, cancelURL == checkout.cancelURL,
            expiresAt > now.adding(seconds: Self.secondsToPay)
        else { return nil }
        return CheckoutSession(id: id, url: url)
    }

    /// The time that a user is left to pay on a page that was opened before.
    private static let secondsToPay: Int64 = 600
}

/// Calls about customers: who they are, and what they have.
extension StripeClient {
    /// Makes the customer that a user is from now on.
    ///
    /// - Parameters:
    ///   - gone: The user's customer so far, whom Stripe has no more.
    ///   - now: The same call made twice within some minutes makes one customer. Not longer, for Stripe gives the first
    ///     answer again for a day, be it a failure.
    /// - Returns: `cus_…`
    package func createCustomer(
        for user: UserID, replacing gone: String? = nil, at now: UnixTime
    ) async throws(CallError) -> String {
        let form: FormValue = ["metadata": ["userId": .text(user.value)]]
        let words = form.encoded + " " + (gone ?? "")
        let key = "customer-\(now.seconds / CheckoutRequest.idempotencySeconds)-\(SHA256.digest(words).hex)"
        let call = StripeCall(method: .POST, path: "/v1/customers", form: form, idempotencyKey: key)
        return try await transport.send(call) { customer throws(UnexpectedShape) in
            try customer.required("id", \.nonEmptyString)
        }
    }

    /// The last checkout sessions of a customer, the newest first. Those that are open are among them: there is one of ours
    /// at most, and sessions end after a day.
    package func checkoutSessions(ofCustomer id: String) async throws(CallError) -> [GivenCheckoutSession] {
        try await list("/v1/checkout/sessions", ofCustomer: id, limit: 20) { object throws(UnexpectedShape) in
            try GivenCheckoutSession(object)
        }
    }

    /// Sees to it that nothing can be bought on a page any more.
    ///
    /// - Returns: False when it was not open any more: perhaps it has been paid.
    package func expireCheckoutSession(id: String) async throws(CallError) -> Bool {
        guard let segment = PercentEncoding.pathSegment(id) else { return false }
        let call = StripeCall(
            method: .POST, path: "/v1/checkout/sessions/\(segment)/expire", form: [:],
            idempotencyKey: RandomBytes.hex(count: 16))
        do {
            return try await transport.send(call) { _ in true }
        } catch {
            guard error.type == "invalid_request_error", error.httpStatus == 400 || error.httpStatus == 404 else {
                throw error
            }
            return false
        }
    }

    /// The subscriptions of a customer that have not ended, the newest first, ``Purchases/maximumCount`` at most.
    package func subscriptions(ofCustomer id: String) async throws(CallError) -> [SubscriptionFacts] {
        try await list("/v1/subscriptions", ofCustomer: id, limit: Purchases.maximumCount) {
            object throws(UnexpectedShape) in
            try SubscriptionFacts(subscription: object)
        }
    }

    private func list<Element>(
        _ path: String, ofCustomer id: String, limit: Int, read: (JSON) throws(UnexpectedShape) -> Element
    ) async throws(CallError) -> [Element] {
        let query = "customer=\(PercentEncoding.formText(id))&limit=\(limit)"
        return try await transport.send(StripeCall(method: .GET, path: "\(path)?\(query)")) {
            list throws(UnexpectedShape) in
            var found: [Element] = []
            for object in try list.required("data", \.elements) { found.append(try read(object)) }
            return found
        }
    }
}

extension CallError {
    /// The customer that was named is none of the account's any more.
    package var isAboutMissingCustomer: Bool { code == "resource_missing" && parameter == "customer" }
}
