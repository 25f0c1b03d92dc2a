import JSONValue
import TollgateCore

/// What Stripe would remember, and the rules by which it changes. Every method that changes a subscription returns
/// the events that say so, in the order they happened.
struct StripeLedger: Sendable {
    /// A checkout session, and what it was asked for.
    struct Checkout: Sendable {
        var object: JSON
        let parameters: JSON
    }

    /// What one unit of any price costs, in cents.
    let unitAmount: Int64

    private(set) var checkouts: [String: Checkout] = [:]
    private(set) var customers: [String: JSON] = [:]
    private(set) var subscriptions: [String: JSON] = [:]
    private(set) var portals: [String: JSON] = [:]

    init(unitAmount: Int64) { self.unitAmount = unitAmount }

    func checkout(_ id: String) throws -> JSON {
        guard let checkout = checkouts[id] else { throw StandInStripeError.noSuch("checkout.session", id) }
        return checkout.object
    }

    func customer(_ id: String) throws -> JSON {
        guard let customer = customers[id] else { throw StandInStripeError.noSuch("customer", id) }
        return customer
    }

    func subscription(_ id: String) throws -> JSON {
        guard let subscription = subscriptions[id] else { throw StandInStripeError.noSuch("subscription", id) }
        return subscription
    }

    /// Each that has the looks of a price's id.
    func price(_ id: String) throws -> JSON {
        guard id.hasPrefix("price_") else { throw StandInStripeError.noSuch("price", id) }
        return StripeObjects.price(.string(id), unitAmount: unitAmount)
    }

    func portal(_ id: String) throws -> JSON {
        guard let portal = portals[id] else { throw StandInStripeError.noSuch("billing_portal.session", id) }
        return portal
    }

    /// A customer's subscriptions, the newest first.
    func subscriptions(of customer: String) -> [JSON] {
        func order(_ subscription: JSON) -> (Int64, String) {
            (subscription["created"].integer ?? 0, subscription["id"].string ?? "")
        }
        return subscriptions.values.filter { $0["customer"].string == customer }.sorted { order($0) > order($1) }
    }

    /// - Parameter pages: The URL of this server, whose pages the session's url leads to.
    mutating func openCheckout(_ parameters: JSON, pages: String, now: UnixTime) throws -> JSON {
        if let customer = parameters["customer"].string {
            guard customers[customer] != nil else {
                throw StandInStripeError.noSuch("customer", customer, parameter: "customer")
            }
            guard parameters["customer_email"].string == nil else {
                throw StandInStripeError(
                    "You may only specify one of these parameters: customer, customer_email.",
                    parameter: "customer_email")
            }
        }
        for (index, line) in (parameters["line_items"].elements ?? []).enumerated() {
            let price = line["price"].string ?? ""
            guard price.hasPrefix("price_") else {
                throw StandInStripeError.noSuch("price", price, parameter: "line_items[\(index)][price]")
            }
        }
        // From 30 minutes to 24 hours ahead.
        if let expiry = parameters["expires_at"].integer, !(1_800...86_400).contains(expiry - now.seconds) {
            throw StandInStripeError(
                "The `expires_at` timestamp must be from 30 minutes to 24 hours ahead.", parameter: "expires_at")
        }
        let id = StripeObjectID.make("cs_test", length: 40)
        let object = StripeObjects.checkoutSession(
            id: id, url: "\(pages)/pay/\(id)", parameters: parameters, unitAmount: unitAmount, now: now)
        checkouts[id] = Checkout(object: object, parameters: parameters)
        return object
    }

    mutating func openPortal(_ parameters: JSON, pages: String, now: UnixTime) throws -> JSON {
        let customer = parameters["customer"].string ?? ""
        guard customers[customer] != nil else {
            throw StandInStripeError.noSuch("customer", customer, parameter: "customer")
        }
        let id = StripeObjectID.make("bps")
        let portal = StripeObjects.portalSession(
            id: id, url: "\(pages)/portal/\(id)", parameters: parameters, now: now)
        portals[id] = portal
        return portal
    }

    /// Takes over a subscription as it is, in the place of one with the same id. It needs none of what is sold here.
    mutating func put(subscription: JSON) { subscriptions[subscription["id"].string ?? ""] = subscription }

    /// Takes over a customer as it is, in the place of one with the same id.
    mutating func put(customer: JSON) { customers[customer["id"].string ?? ""] = customer }

    mutating func addCustomer(_ id: String, email: String?, now: UnixTime) {
        customers[id] = StripeObjects.customer(id: id, email: email, now: now)
    }

    /// Pays an open session. One that is complete stays as it is, without events: people click twice.
    mutating func pay(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        guard var checkout = checkouts[id] else { throw StandInStripeError.noSuch("checkout.session", id) }
        guard checkout.object["status"].string == "open" else { return [] }
        guard now.seconds < checkout.object["expires_at"].integer ?? 0 else {
            throw StandInStripeError("This Checkout Session has expired.")
        }
        let email = checkout.object["customer_email"].string
        let customer = checkout.object["customer"].string ?? StripeObjectID.make("cus", length: 14)
        if customers[customer] == nil { addCustomer(customer, email: email, now: now) }

        var subscription = StripeObjects.subscription(
            id: StripeObjectID.make("sub"), customer: customer, checkout: checkout.parameters, unitAmount: unitAmount,
            now: now)
        let isTrial = subscription["status"].string == "trialing"
        let invoice = StripeObjects.invoice(
            subscription: subscription, reason: "subscription_create",
            amount: isTrial ? 0 : checkout.object["amount_total"].integer ?? 0, isPaid: true, now: now)
        subscription["latest_invoice"] = invoice["id"]
        subscriptions[subscription["id"].string ?? ""] = subscription

        checkout.object["status"] = "complete"
        checkout.object["payment_status"] = isTrial ? "no_payment_required" : "paid"
        checkout.object["customer"] = .string(customer)
        checkout.object["customer_details"] = ["email": customers[customer]?["email"] ?? .null, "name": nil]
        checkout.object["subscription"] = subscription["id"]
        checkout.object["invoice"] = invoice["id"]
        checkout.object["url"] = nil
        checkouts[id] = checkout
        return [
            StandInStripeEvent(type: "checkout.session.completed", object: checkout.object),
            StandInStripeEvent(type: "customer.subscription.created", object: subscription),
            StandInStripeEvent(type: "invoice.paid", object: invoice),
        ]
    }

    /// Ends a subscription at once. One that has ended stays as it is, without events.
    mutating func cancel(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        var subscription = try subscription(id)
        guard subscription["status"].string != "canceled" else { return [] }
        subscription["status"] = "canceled"
        subscription["canceled_at"] = .integer(now.seconds)
        subscription["ended_at"] = .integer(now.seconds)
        subscription["cancellation_details"]["reason"] = "cancellation_requested"
        subscriptions[id] = subscription
        return [StandInStripeEvent(type: "customer.subscription.deleted", object: subscription)]
    }

    /// Collects for the next period, and succeeds or not. A subscription that has ended owes nothing.
    mutating func collect(_ id: String, succeeds: Bool, now: UnixTime) throws -> [StandInStripeEvent] {
        let old = try subscription(id)
        guard old["status"].string != "canceled" else { return [] }
        let amount = (old["items"]["data"].elements ?? []).reduce(0) {
            $0 + ($1["quantity"].integer ?? 0) * ($1["price"]["unit_amount"].integer ?? 0)
        }
        let invoice = StripeObjects.invoice(
            subscription: old, reason: "subscription_cycle", amount: amount, isPaid: succeeds, now: now)
        var new = old
        new["latest_invoice"] = invoice["id"]
        new["status"] = succeeds ? "active" : "past_due"
        subscriptions[id] = new
        let changed = ["latest_invoice", "status"].filter { old[$0] != new[$0] }
        let previous = JSON.object(changed.map { JSON.Member(name: $0, value: old[$0]) })
        return [
            StandInStripeEvent(type: "customer.subscription.updated", object: new, previousAttributes: previous),
            StandInStripeEvent(type: succeeds ? "invoice.paid" : "invoice.payment_failed", object: invoice),
        ]
    }
}
