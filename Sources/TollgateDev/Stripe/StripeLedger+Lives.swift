import JSONValue
import TollgateCore

/// What becomes of subscriptions and customers once there are some. What has ended stays as it is, without events.
extension StripeLedger {
    // MARK: What the customer or the operator does

    /// Ends a subscription at once.
    mutating func cancel(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        try update(id, type: "customer.subscription.deleted") { subscription in
            subscription["status"] = "canceled"
            subscription["canceled_at"] = subscription["canceled_at"].integer.map(JSON.integer) ?? .integer(now.seconds)
            subscription["ended_at"] = .integer(now.seconds)
            subscription["cancellation_details"]["reason"] = "cancellation_requested"
        }
    }

    /// Decides when a subscription ends, or with nil that it goes on.
    ///
    /// - Parameter isPeriodEnd: It ends with what is paid for, whatever the moment.
    mutating func scheduleEnd(
        _ id: String, at end: UnixTime?, isPeriodEnd: Bool = false, now: UnixTime
    ) throws -> [StandInStripeEvent] {
        try update(id) { subscription in
            let moment = isPeriodEnd ? Self.periodEnd(of: subscription) : end
            let seconds = moment.map { JSON.integer($0.seconds) } ?? .null
            guard subscription["cancel_at"] != seconds || subscription["cancel_at_period_end"] != .bool(isPeriodEnd)
            else { return }
            subscription["cancel_at"] = seconds
            subscription["cancel_at_period_end"] = .bool(isPeriodEnd)
            subscription["canceled_at"] = moment == nil ? nil : .integer(now.seconds)
            subscription["cancellation_details"]["reason"] = moment == nil ? nil : "cancellation_requested"
        }
    }

    /// Sells other prices from now on. The first items keep their ids, and all the period of the first.
    mutating func setPrices(_ id: String, to prices: [String], now: UnixTime) throws -> [StandInStripeEvent] {
        let prices = try prices.map { try price($0) }
        guard !prices.isEmpty else { throw StandInStripeError.missing("items") }
        let unitAmount = unitAmount
        return try update(id) { subscription in
            let old = subscription["items"]["data"].elements ?? []
            let items = prices.enumerated().map { index, price in
                var item = StripeObjects.item(
                    ["price": price["id"], "quantity": 1], subscription: id, unitAmount: unitAmount, now: now,
                    trialEnd: nil)
                if let first = old.first {
                    item["current_period_start"] = first["current_period_start"]
                    item["current_period_end"] = first["current_period_end"]
                }
                if index < old.count { item["id"] = old[index]["id"] }
                if index < old.count { item["created"] = old[index]["created"] }
                return item
            }
            subscription["items"]["data"] = .array(items)
            subscription["items"]["total_count"] = .integer(items.count)
        }
    }

    mutating func setMetadata(_ id: String, to metadata: [String: String]) throws -> [StandInStripeEvent] {
        try update(id) { $0["metadata"] = JSON(metadata.mapValues(JSON.string)) }
    }

    /// Stops collecting, or with null goes on with it. The status stays.
    ///
    /// - Parameter pause: The subscription's `pause_collection`.
    mutating func setCollectionPause(_ id: String, to pause: JSON) throws -> [StandInStripeEvent] {
        try update(id) { $0["pause_collection"] = pause }
    }

    /// Interrupts a subscription.
    mutating func pause(_ id: String) throws -> [StandInStripeEvent] {
        try update(id, type: "customer.subscription.paused") { $0["status"] = "paused" }
    }

    /// Goes on with a subscription that is paused, from now on.
    mutating func resume(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        let old = try subscription(id)
        guard old["status"] == "paused" else { return [] }
        let invoice = bill(old, reason: "subscription_cycle", amount: amount(of: old), isPaid: true, now: now)
        let resumed = try update(id, type: "customer.subscription.resumed") { subscription in
            subscription["status"] = "active"
            subscription["latest_invoice"] = invoice["id"]
            Self.setPeriod(of: &subscription, from: now)
        }
        return resumed + [StandInStripeEvent(type: "invoice.paid", object: invoice)]
    }

    /// Deletes a customer, which first ends what the customer has.
    mutating func deleteCustomer(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        let customer = try customer(named: id)
        var events: [StandInStripeEvent] = []
        for subscription in subscriptions.ofCustomer(id) {
            events += try cancel(subscription["id"].string ?? "", now: now)
        }
        customers.keep(StripeObjects.deletedCustomer(id: id))
        return events + [StandInStripeEvent(type: "customer.deleted", object: customer)]
    }

    // MARK: What follows from payments

    /// Collects for the next period, and succeeds or not. Nothing is collected of a subscription that is paused.
    mutating func collect(_ id: String, succeeds: Bool, now: UnixTime) throws -> [StandInStripeEvent] {
        let old = try subscription(id)
        guard !Self.hasEnded(old), old["status"] != "paused" else { return [] }
        let next = Self.periodEnd(of: old).flatMap { $0 <= now ? $0 : nil }
        guard old["pause_collection"] == .null else {
            return try update(id) { subscription in if let next { Self.setPeriod(of: &subscription, from: next) } }
        }
        let invoice = bill(
            old, reason: "subscription_cycle", amount: amount(of: old), isPaid: succeeds, now: now)
        let isOwed = ["incomplete", "unpaid"].contains(old["status"].string)
        let updated = try update(id) { subscription in
            subscription["latest_invoice"] = invoice["id"]
            if succeeds { subscription["status"] = "active" } else if !isOwed { subscription["status"] = "past_due" }
            if let next { Self.setPeriod(of: &subscription, from: next) }
        }
        let type = succeeds ? "invoice.paid" : "invoice.payment_failed"
        return updated + [StandInStripeEvent(type: type, object: invoice)]
    }

    /// Begins the next period now, paid, however much is left of this one: as when the operator resets the billing cycle.
    mutating func renew(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        let old = try subscription(id)
        guard old["status"] == "active", old["pause_collection"] == .null else { return [] }
        let invoice = bill(old, reason: "subscription_cycle", amount: amount(of: old), isPaid: true, now: now)
        let renewed = try update(id) { subscription in
            subscription["latest_invoice"] = invoice["id"]
            subscription["billing_cycle_anchor"] = .integer(now.seconds)
            Self.setPeriod(of: &subscription, from: now)
        }
        return renewed + [StandInStripeEvent(type: "invoice.paid", object: invoice)]
    }

    /// Ends the trial now.
    mutating func endTrial(_ id: String, _ end: StripeStandIn.TrialEnd, now: UnixTime) throws -> [StandInStripeEvent] {
        let old = try subscription(id)
        guard old["status"] == "trialing" else { return [] }
        guard end != .paused else {
            return try update(id, type: "customer.subscription.paused") { subscription in
                subscription["status"] = "paused"
                subscription["trial_end"] = .integer(now.seconds)
            }
        }
        let isPaid = end == .paid
        let invoice = bill(old, reason: "subscription_cycle", amount: amount(of: old), isPaid: isPaid, now: now)
        let updated = try update(id) { subscription in
            subscription["status"] = isPaid ? "active" : "past_due"
            subscription["trial_end"] = .integer(now.seconds)
            subscription["latest_invoice"] = invoice["id"]
            subscription["billing_cycle_anchor"] = .integer(now.seconds)
            Self.setPeriod(of: &subscription, from: now)
        }
        return updated + [StandInStripeEvent(type: isPaid ? "invoice.paid" : "invoice.payment_failed", object: invoice)]
    }

    /// Does not try to collect what is owed any more.
    mutating func giveUp(_ id: String) throws -> [StandInStripeEvent] {
        try update(id) { $0["status"] = "unpaid" }
    }

    /// Gives back all of a subscription's last payment. The subscription goes on.
    mutating func refund(_ id: String) throws -> [StandInStripeEvent] {
        var charge = try lastCharge(of: id)
        guard charge["refunded"] != true else { return [] }
        charge["refunded"] = true
        charge["amount_refunded"] = charge["amount"]
        charges.keep(charge)
        return [StandInStripeEvent(type: "charge.refunded", object: charge)]
    }

    /// The customer's bank takes a subscription's last payment back. The subscription goes on.
    mutating func loseDispute(_ id: String, now: UnixTime) throws -> [StandInStripeEvent] {
        var charge = try lastCharge(of: id)
        guard charge["disputed"] != true else { return [] }
        charge["disputed"] = true
        charges.keep(charge)
        let dispute = StripeObjectID.make("du")
        return [("charge.dispute.created", "needs_response"), ("charge.dispute.closed", "lost")].map { type, status in
            StandInStripeEvent(
                type: type, object: StripeObjects.dispute(id: dispute, of: charge, status: status, now: now))
        }
    }

    private func lastCharge(of id: String) throws -> JSON {
        guard let charge = lastCharges[try subscription(id)["id"].string ?? ""] else {
            throw StandInStripeError("Nothing was paid for '\(id)' yet.")
        }
        return try self.charge(charge)
    }

    // MARK: What time brings

    /// Carries out what was to happen by `now`, each when it was due: ends, ends of trials and of pauses, and payments.
    mutating func letTimePass(until now: UnixTime) throws -> [StandInStripeEvent] {
        var events: [StandInStripeEvent] = []
        for checkout in checkouts.all where checkout["status"] == "open" {
            guard Self.shown(checkout, now: now)["status"] == "expired" else { continue }
            let due = UnixTime(seconds: (checkout["expires_at"].integer ?? 0) - 1)
            events.append(try expireCheckout(checkout["id"].string ?? "", now: due))
        }
        for subscription in subscriptions.all {
            let id = subscription["id"].string ?? ""
            while case let new = try takeNextStep(of: id, until: now), !new.isEmpty { events += new }
        }
        return events
    }

    private mutating func takeNextStep(of id: String, until now: UnixTime) throws -> [StandInStripeEvent] {
        let subscription = try subscription(id)
        func due(_ moment: Int64?) -> UnixTime? {
            moment.map { UnixTime(seconds: $0) }.flatMap { $0 <= now ? $0 : nil }
        }
        if let end = due(subscription["cancel_at"].integer) { return try cancel(id, now: end) }
        if due(subscription["pause_collection"]["resumes_at"].integer) != nil {
            return try setCollectionPause(id, to: .null)
        }
        switch subscription["status"].string {
        case "trialing":
            return try due(subscription["trial_end"].integer).map { try endTrial(id, .paid, now: $0) } ?? []
        case "active":
            return try due(Self.periodEnd(of: subscription)?.seconds).map {
                try collect(id, succeeds: true, now: $0)
            } ?? []
        case "incomplete" where due((subscription["created"].integer ?? 0) + Self.secondsToPayFirst) != nil:
            return try update(id) { $0["status"] = "incomplete_expired" }
        default: return []
        }
    }

    /// 23 hours.
    private static let secondsToPayFirst: Int64 = 82_800

    // MARK: Parts

    /// Changes a subscription that has not ended.
    ///
    /// - Returns: The event that says so, unless all is as it was.
    private mutating func update(
        _ id: String, type: String = "customer.subscription.updated", _ change: (inout JSON) -> Void
    ) throws -> [StandInStripeEvent] {
        let old = try subscription(id)
        guard !Self.hasEnded(old) else { return [] }
        var new = old
        change(&new)
        guard new != old else { return [] }
        subscriptions.keep(new)
        guard type.hasSuffix(".updated") else { return [StandInStripeEvent(type: type, object: new)] }
        let previous = (old.members ?? []).filter { $0.value != new[$0.name] }
        return [StandInStripeEvent(type: type, object: new, previousAttributes: .object(previous))]
    }

    static func hasEnded(_ subscription: JSON) -> Bool {
        ["canceled", "incomplete_expired"].contains(subscription["status"].string)
    }

    private static func periodEnd(of subscription: JSON) -> UnixTime? {
        (subscription["items"]["data"].elements ?? []).compactMap { $0["current_period_end"].integer }.max()
            .map { UnixTime(seconds: $0) }
    }

    private static func setPeriod(of subscription: inout JSON, from start: UnixTime) {
        subscription["items"]["data"] = .array(
            (subscription["items"]["data"].elements ?? []).map { item in
                var item = item
                item["current_period_start"] = .integer(start.seconds)
                item["current_period_end"] = .integer(start.seconds + StripeObjects.secondsPerMonth)
                return item
            })
    }
}
