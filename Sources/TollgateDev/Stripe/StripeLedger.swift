import JSONValue
import TollgateCore

/// What Stripe would remember, and the rules by which it changes. Every method that changes a subscription returns
/// the events that say so, in the order they happened.
struct StripeLedger: Sendable {
    /// What one unit of any price costs, in cents.
    let unitAmount: Int64

    var customers = StripeTable()
    var subscriptions = StripeTable()
    var checkouts = StripeTable()
    var invoices = StripeTable()
    var charges = StripeTable()
    var invoicePayments = StripeTable()

    /// What each checkout session was asked for.
    var checkoutParameters: [String: JSON] = [:]

    /// The last charge of each subscription that something was paid for.
    var lastCharges: [String: String] = [:]

    private(set) var portals: [String: JSON] = [:]

    init(unitAmount: Int64) { self.unitAmount = unitAmount }

    // MARK: What there is

    /// As Stripe shows it at `now`: an open session expires by itself.
    func checkout(_ id: String, now: UnixTime) throws -> JSON {
        guard let checkout = checkouts[id] else { throw StandInStripeError.noSuch("checkout.session", id) }
        return Self.shown(checkout, now: now)
    }

    static func shown(_ checkout: JSON, now: UnixTime) -> JSON {
        guard checkout["status"] == "open", now.seconds >= checkout["expires_at"].integer ?? 0 else { return checkout }
        var expired = checkout
        expired["status"] = "expired"
        expired["url"] = nil
        return expired
    }

    /// One that was deleted as well, of which little is left.
    func customer(_ id: String) throws -> JSON {
        guard let customer = customers[id] else { throw StandInStripeError.noSuch("customer", id) }
        return customer
    }

    /// The customer that a parameter names.
    ///
    /// - Throws: Also when it was deleted.
    @discardableResult
    func customer(named id: String) throws -> JSON {
        guard let customer = customers[id], customer["deleted"].bool != true else {
            throw StandInStripeError.noSuch("customer", id, parameter: "customer")
        }
        return customer
    }

    func subscription(_ id: String) throws -> JSON {
        guard let subscription = subscriptions[id] else { throw StandInStripeError.noSuch("subscription", id) }
        return subscription
    }

    func invoice(_ id: String) throws -> JSON {
        guard let invoice = invoices[id] else { throw StandInStripeError.noSuch("invoice", id) }
        return invoice
    }

    func charge(_ id: String) throws -> JSON {
        guard let charge = charges[id] else { throw StandInStripeError.noSuch("charge", id) }
        return charge
    }

    /// Each that has the looks of a price's id.
    func price(_ id: String, parameter: String? = nil) throws -> JSON {
        guard id.hasPrefix("price_") || id.hasPrefix("plan_") else {
            throw StandInStripeError.noSuch("price", id, parameter: parameter)
        }
        return StripeObjects.price(.string(id), unitAmount: unitAmount)
    }

    func portal(_ id: String) throws -> JSON {
        guard let portal = portals[id] else { throw StandInStripeError.noSuch("billing_portal.session", id) }
        return portal
    }

    // MARK: What is made

    /// - Parameter pages: The URL of this server, whose pages the session's url leads to.
    mutating func openCheckout(_ parameters: JSON, pages: String, now: UnixTime) throws -> JSON {
        if let customer = parameters["customer"].string {
            try self.customer(named: customer)
            guard parameters["customer_email"].string == nil else {
                throw StandInStripeError(
                    "You may only specify one of these parameters: customer, customer_email.",
                    parameter: "customer_email")
            }
        }
        for (index, line) in (parameters["line_items"].elements ?? []).enumerated() {
            _ = try price(line["price"].string ?? "", parameter: "line_items[\(index)][price]")
        }
        // From 30 minutes to 24 hours ahead.
        if let expiry = parameters["expires_at"].integer, !(1_800...86_400).contains(expiry - now.seconds) {
            throw StandInStripeError(
                "The `expires_at` timestamp must be from 30 minutes to 24 hours ahead.", parameter: "expires_at")
        }
        let id = StripeObjectID.make("cs_test", length: 40)
        let object = StripeObjects.checkoutSession(
            id: id, url: "\(pages)/pay/\(id)", parameters: parameters, unitAmount: unitAmount, now: now)
        checkouts.keep(object)
        checkoutParameters[id] = parameters
        return object
    }

    mutating func openPortal(_ parameters: JSON, pages: String, now: UnixTime) throws -> JSON {
        try customer(named: parameters["customer"].string ?? "")
        let id = StripeObjectID.make("bps")
        let portal = StripeObjects.portalSession(
            id: id, url: "\(pages)/portal/\(id)", parameters: parameters, now: now)
        portals[id] = portal
        return portal
    }

    /// - Parameter parameters: As ``StripeParameters/customer`` checked them.
    @discardableResult
    mutating func addCustomer(
        id: String = StripeObjectID.make("cus", length: 14), _ parameters: JSON, now: UnixTime
    ) -> JSON {
        let customer = StripeObjects.customer(id: id, parameters: parameters, now: now)
        customers.keep(customer)
        return customer
    }

    // MARK: What is bought

    /// Pays an open session. One that is complete stays as it is, without events: people click twice.
    mutating func pay(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        var checkout = try checkout(id, now: now)
        guard checkout["status"] != "expired" else {
            throw StandInStripeError("This Checkout Session has expired.")
        }
        guard checkout["status"] == "open" else { return [] }
        let customer: JSON
        if let named = checkout["customer"].string {
            customer = try self.customer(named: named)
        } else {
            customer = addCustomer(["email": checkout["customer_email"]], now: now)
        }
        let (subscription, invoice) = begin(
            checkoutParameters[id] ?? .null, of: customer["id"].string ?? "", isPaid: true, now: now)

        checkout["status"] = "complete"
        checkout["payment_status"] = subscription["status"] == "trialing" ? "no_payment_required" : "paid"
        checkout["customer"] = customer["id"]
        checkout["customer_details"] = ["email": customer["email"], "name": nil]
        checkout["subscription"] = subscription["id"]
        checkout["invoice"] = invoice["id"]
        checkout["url"] = nil
        checkouts.keep(checkout)
        return [
            StandInStripeEvent(type: "checkout.session.completed", object: checkout),
            StandInStripeEvent(type: "customer.subscription.created", object: subscription),
            StandInStripeEvent(type: "invoice.paid", object: invoice),
        ]
    }

    /// Ends an open session: nothing can be bought by it any more.
    mutating func expireCheckout(_ id: String, now: UnixTime) throws -> StandInStripeEvent {
        var checkout = try checkout(id, now: now)
        guard checkout["status"] == "open" else {
            throw StandInStripeError("Only Checkout Sessions with a status in [\"open\"] can be expired.")
        }
        checkout["status"] = "expired"
        checkout["url"] = nil
        checkouts.keep(checkout)
        return StandInStripeEvent(type: "checkout.session.expired", object: checkout)
    }

    /// Begins a subscription, and collects for its first period.
    ///
    /// - Parameter parameters: `line_items` and `subscription_data` of a checkout.
    mutating func begin(
        _ parameters: JSON, of customer: String, isPaid: Bool, now: UnixTime
    ) -> (subscription: JSON, invoice: JSON) {
        var subscription = StripeObjects.subscription(
            id: StripeObjectID.make("sub"), customer: customer, checkout: parameters, unitAmount: unitAmount, now: now)
        let isTrial = subscription["status"] == "trialing"
        let invoice = bill(
            subscription, reason: "subscription_create", amount: isTrial ? 0 : amount(of: subscription),
            isPaid: isPaid || isTrial, now: now)
        subscription["latest_invoice"] = invoice["id"]
        if !isPaid, !isTrial { subscription["status"] = "incomplete" }
        subscriptions.keep(subscription)
        return (subscription, invoice)
    }

    /// Makes an invoice, and a charge if something was paid.
    mutating func bill(_ subscription: JSON, reason: String, amount: Int64, isPaid: Bool, now: UnixTime) -> JSON {
        let invoice = StripeObjects.invoice(
            subscription: subscription, reason: reason, amount: amount, isPaid: isPaid, now: now)
        invoices.keep(invoice)
        guard isPaid, amount > 0 else { return invoice }
        let charge = StripeObjects.charge(invoice: invoice, now: now)
        charges.keep(charge)
        invoicePayments.keep(StripeObjects.invoicePayment(charge, invoice: invoice))
        lastCharges[subscription["id"].string ?? ""] = charge["id"].string
        return invoice
    }

    func amount(of subscription: JSON) -> Int64 {
        (subscription["items"]["data"].elements ?? []).reduce(0) {
            $0 + ($1["quantity"].integer ?? 0) * ($1["price"]["unit_amount"].integer ?? 0)
        }
    }
}
