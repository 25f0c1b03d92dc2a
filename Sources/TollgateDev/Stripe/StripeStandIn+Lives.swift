import JSONValue
package import TollgateCore

/// What becomes of customers and subscriptions, as the portal's buttons, the dashboard and time bring it about.
///
/// Each method returns the ids of the events that say so, and does not wait for their webhooks. What has ended stays as it
/// is, without events.
extension StripeStandIn {
    /// How a trial ends.
    package enum TrialEnd: Sendable, CaseIterable {
        case paid
        case unpaid

        /// There is no card, and the subscription waits for one.
        case paused
    }

    /// Begins a subscription as the dashboard does, without a checkout.
    ///
    /// - Parameters:
    ///   - prices: `price_…` of each of its items.
    ///   - trialDays: Nil for none.
    ///   - isPaid: Otherwise the first payment fails, and the subscription is `incomplete`.
    /// - Returns: The subscription's id.
    @discardableResult
    package func subscribe(
        _ customer: String, to prices: [String], metadata: [String: String] = [:], trialDays: Int64? = nil,
        isPaid: Bool = true
    ) throws -> String {
        try begin(customer, prices: prices, metadata: metadata, trialDays: trialDays, isPaid: isPaid).id
    }

    func begin(
        _ customer: String, prices: [String], metadata: [String: String], trialDays: Int64?, isPaid: Bool
    ) throws -> (id: String, events: [String]) {
        var id = ""
        let events = try change { ledger, now in
            try ledger.customer(named: customer)
            for price in prices { _ = try ledger.price(price) }
            let parameters: JSON = [
                "line_items": .array(prices.map { ["price": .string($0), "quantity": 1] }),
                "subscription_data": [
                    "metadata": JSON(metadata.mapValues(JSON.string)),
                    "trial_period_days": trialDays.map(JSON.integer) ?? .null,
                ],
            ]
            let (subscription, invoice) = ledger.begin(parameters, of: customer, isPaid: isPaid, now: now)
            id = subscription["id"].string ?? ""
            return [
                StandInStripeEvent(type: "customer.subscription.created", object: subscription),
                StandInStripeEvent(
                    type: invoice["status"] == "paid" ? "invoice.paid" : "invoice.payment_failed", object: invoice),
            ]
        }
        return (id, events)
    }

    /// Ends a subscription at once.
    @discardableResult
    package func cancel(_ subscription: String) throws -> [String] {
        try change { ledger, now in try ledger.cancel(subscription, now: now) }
    }

    /// Ends a subscription with what is paid for.
    @discardableResult
    package func cancelAtPeriodEnd(_ subscription: String) throws -> [String] {
        try change { ledger, now in try ledger.scheduleEnd(subscription, at: nil, isPeriodEnd: true, now: now) }
    }

    /// Ends a subscription at `moment`; with nil it goes on, whatever was decided.
    @discardableResult
    package func cancel(_ subscription: String, at moment: UnixTime?) throws -> [String] {
        try change { ledger, now in try ledger.scheduleEnd(subscription, at: moment, now: now) }
    }

    /// Sells other prices from now on, in as many items. The metadata stays.
    @discardableResult
    package func setPrices(of subscription: String, to prices: [String]) throws -> [String] {
        try change { ledger, now in try ledger.setPrices(subscription, to: prices, now: now) }
    }

    /// Writes other metadata, as the operator does in the dashboard.
    @discardableResult
    package func setMetadata(of subscription: String, to metadata: [String: String]) throws -> [String] {
        try change { ledger, _ in try ledger.setMetadata(subscription, to: metadata) }
    }

    /// Does not collect until `moment`, or until further notice. The status stays.
    @discardableResult
    package func pauseCollection(of subscription: String, until moment: UnixTime? = nil) throws -> [String] {
        let resumption = moment.map { JSON.integer($0.seconds) } ?? .null
        return try change { ledger, _ in
            try ledger.setCollectionPause(subscription, to: ["behavior": "void", "resumes_at": resumption])
        }
    }

    /// Collects again.
    @discardableResult
    package func resumeCollection(of subscription: String) throws -> [String] {
        try change { ledger, _ in try ledger.setCollectionPause(subscription, to: .null) }
    }

    /// Interrupts a subscription: it is `paused`.
    @discardableResult
    package func pause(_ subscription: String) throws -> [String] {
        try change { ledger, _ in try ledger.pause(subscription) }
    }

    /// Goes on with a subscription that is `paused`.
    @discardableResult
    package func resume(_ subscription: String) throws -> [String] {
        try change { ledger, now in try ledger.resume(subscription, now: now) }
    }

    /// Tries to collect for a subscription's next period: `past_due` when it fails, `active` when it succeeds.
    @discardableResult
    package func collect(_ subscription: String, succeeds: Bool) throws -> [String] {
        try change { ledger, now in try ledger.collect(subscription, succeeds: succeeds, now: now) }
    }

    /// Begins the next period now, and it is paid.
    @discardableResult
    package func renew(_ subscription: String) throws -> [String] {
        try change { ledger, now in try ledger.renew(subscription, now: now) }
    }

    /// Ends the trial now: `active`, `past_due` or `paused`.
    @discardableResult
    package func endTrial(of subscription: String, _ end: TrialEnd = .paid) throws -> [String] {
        try change { ledger, now in try ledger.endTrial(subscription, end, now: now) }
    }

    /// Tries no more to collect what is owed: `unpaid`.
    @discardableResult
    package func giveUp(_ subscription: String) throws -> [String] {
        try change { ledger, _ in try ledger.giveUp(subscription) }
    }

    /// Gives back all of the last payment.
    @discardableResult
    package func refund(_ subscription: String) throws -> [String] {
        try change { ledger, _ in try ledger.refund(subscription) }
    }

    /// The customer's bank takes the last payment back.
    @discardableResult
    package func loseDispute(over subscription: String) throws -> [String] {
        try change { ledger, now in try ledger.loseDispute(subscription, now: now) }
    }

    /// Deletes a customer, which first ends what the customer has.
    @discardableResult
    package func deleteCustomer(_ id: String) throws -> [String] {
        try change { ledger, now in try ledger.deleteCustomer(id, now: now) }
    }

    /// Carries out what was to happen by now: ends, ends of trials and of pauses, renewals.
    @discardableResult
    package func letTimePass() throws -> [String] {
        try change { ledger, now in try ledger.letTimePass(until: now) }
    }
}
