import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev

/// What becomes of subscriptions, and which events say so.
@Suite(.timeLimit(.minutes(6)))
struct StripeLivesTests {
    private static let day: Int64 = 86_400

    /// Runs `body` with a customer who has just subscribed.
    private func withSubscription(
        trialDays: Int64? = nil, isPaid: Bool = true,
        _ body: (StripeStandIn, _ id: String, StandInTime) throws -> Void
    ) async throws {
        try await withStripe { stripe, _, time in
            stripe.addCustomer("cus_1")
            let id = try stripe.subscribe(
                "cus_1", to: ["price_a"], metadata: ["userId": "user_1"], trialDays: trialDays, isPaid: isPaid)
            try body(stripe, id, time)
        }
    }

    /// The types of the last events.
    private func types(_ stripe: StripeStandIn, last count: Int) -> [String] {
        stripe.webhooks.events.suffix(count).compactMap { $0["type"].string }
    }

    private func status(_ stripe: StripeStandIn, _ id: String) -> String? { stripe.subscriptions[id]?["status"].string }

    private func previous(_ stripe: StripeStandIn) -> JSON {
        stripe.webhooks.events.last?["data"]["previous_attributes"] ?? .null
    }

    @Test
    func beginsWithoutACheckout() async throws {
        try await withSubscription { stripe, id, _ in
            #expect(types(stripe, last: 9) == ["customer.subscription.created", "invoice.paid"])
            #expect(status(stripe, id) == "active")
            #expect(stripe.subscriptions[id]?["metadata"] == ["userId": "user_1"])
            try stripe.subscribe("cus_1", to: ["price_b", "price_c"])
            #expect(stripe.subscriptions.count == 2, "a customer may have several")
        }
        try await withSubscription(isPaid: false) { stripe, id, time in
            #expect(types(stripe, last: 9) == ["customer.subscription.created", "invoice.payment_failed"])
            #expect(status(stripe, id) == "incomplete")
            time.advance(milliseconds: 23 * 3_600_000)
            try stripe.letTimePass()
            #expect(status(stripe, id) == "incomplete_expired")
            #expect(try stripe.cancel(id).isEmpty, "it has ended")
        }
    }

    @Test
    func otherPricesKeepTheMetadataAndTheFirstItem() async throws {
        try await withSubscription { stripe, id, _ in
            let item = stripe.subscriptions[id]?["items"]["data"].elements?.first
            try stripe.setPrices(of: id, to: ["price_unknown", "price_b"])
            let items = try #require(stripe.subscriptions[id]?["items"]["data"].elements)
            #expect(items.map { $0["price"]["id"] } == ["price_unknown", "price_b"])
            #expect(items[0]["id"] == item?["id"])
            #expect(items.allSatisfy { $0["current_period_end"] == item?["current_period_end"] })
            #expect(stripe.subscriptions[id]?["metadata"] == ["userId": "user_1"])
            #expect(types(stripe, last: 1) == ["customer.subscription.updated"])
            #expect(previous(stripe)["items"]["data"].elements?.count == 1)
            #expect(throws: (any Error).self) { try stripe.setPrices(of: id, to: ["prod_a"]) }
            try stripe.setPrices(of: id, to: ["price_b"])
            #expect(stripe.subscriptions[id]?["items"]["data"].elements?.count == 1)
            try stripe.setMetadata(of: id, to: ["userId": "user_2"])
            #expect(previous(stripe)["metadata"] == ["userId": "user_1"])
        }
    }

    @Test
    func endsWithThePeriodUnlessThatIsUndone() async throws {
        try await withSubscription { stripe, id, time in
            let start = time.now().seconds
            try stripe.cancelAtPeriodEnd(id)
            #expect(stripe.subscriptions[id]?["cancel_at_period_end"] == true)
            #expect(stripe.subscriptions[id]?["cancel_at"].integer == start + 30 * Self.day)
            #expect(stripe.subscriptions[id]?["canceled_at"].integer == start)
            #expect(previous(stripe)["cancel_at_period_end"] == false)
            #expect(try stripe.cancelAtPeriodEnd(id).isEmpty)
            try stripe.cancel(id, at: nil)
            #expect(stripe.subscriptions[id]?["cancel_at"] == .null)
            #expect(stripe.subscriptions[id]?["canceled_at"] == .null)
            try stripe.cancel(id, at: UnixTime(seconds: start + 3 * Self.day))
            #expect(stripe.subscriptions[id]?["cancel_at_period_end"] == false)
            #expect(types(stripe, last: 3) == Array(repeating: "customer.subscription.updated", count: 3))
            time.advance(milliseconds: 4 * Self.day * 1000)
            try stripe.letTimePass()
            #expect(types(stripe, last: 1) == ["customer.subscription.deleted"])
            #expect(stripe.subscriptions[id]?["ended_at"].integer == start + 3 * Self.day)
            #expect(try stripe.letTimePass().isEmpty)
        }
    }

    @Test
    func collectionIsPausedWithoutAStatusOfItsOwn() async throws {
        try await withSubscription { stripe, id, time in
            try stripe.pauseCollection(of: id, until: time.now().adding(seconds: Self.day))
            #expect(status(stripe, id) == "active")
            #expect(stripe.subscriptions[id]?["pause_collection"]["behavior"] == "void")
            #expect(try stripe.collect(id, succeeds: false).isEmpty, "nothing is collected")
            time.advance(milliseconds: Self.day * 1000)
            try stripe.letTimePass()
            #expect(stripe.subscriptions[id]?["pause_collection"] == .null)
            try stripe.pauseCollection(of: id)
            try stripe.resumeCollection(of: id)
            #expect(stripe.subscriptions[id]?["pause_collection"] == .null)
            #expect(types(stripe, last: 4) == Array(repeating: "customer.subscription.updated", count: 4))
        }
    }

    @Test(arguments: [
        (StripeStandIn.TrialEnd.paid, "active", ["customer.subscription.updated", "invoice.paid"]),
        (.unpaid, "past_due", ["customer.subscription.updated", "invoice.payment_failed"]),
        (.paused, "paused", ["customer.subscription.paused"]),
    ])
    func trialsEnd(_ end: StripeStandIn.TrialEnd, _ after: String, _ events: [String]) async throws {
        try await withSubscription(trialDays: 7) { stripe, id, time in
            #expect(status(stripe, id) == "trialing")
            let count = stripe.webhooks.events.count
            try stripe.endTrial(of: id, end)
            #expect(status(stripe, id) == after)
            #expect(types(stripe, last: stripe.webhooks.events.count - count) == events)
            #expect(stripe.subscriptions[id]?["trial_end"].integer == time.now().seconds)
            #expect(try stripe.endTrial(of: id, end).isEmpty)
        }
    }

    @Test
    func pausesAndResumes() async throws {
        try await withSubscription { stripe, id, _ in
            try stripe.pause(id)
            #expect(status(stripe, id) == "paused")
            #expect(try stripe.collect(id, succeeds: true).isEmpty)
            try stripe.resume(id)
            #expect(status(stripe, id) == "active")
            #expect(try stripe.resume(id).isEmpty)
            #expect(
                types(stripe, last: 3) == [
                    "customer.subscription.paused", "customer.subscription.resumed", "invoice.paid",
                ])
        }
    }

    @Test
    func timeBringsRenewals() async throws {
        try await withSubscription(trialDays: 7) { stripe, id, time in
            let start = time.now().seconds
            time.advance(milliseconds: 40 * Self.day * 1000)
            try stripe.letTimePass()
            let item = stripe.subscriptions[id]?["items"]["data"].elements?.first
            #expect(item?["current_period_start"].integer == start + 37 * Self.day)
            #expect(item?["current_period_end"].integer == start + 67 * Self.day)
            let renewal = ["customer.subscription.updated", "invoice.paid"]
            #expect(types(stripe, last: 4) == renewal + renewal)
            try stripe.collect(id, succeeds: false)
            try stripe.giveUp(id)
            #expect(status(stripe, id) == "unpaid")
            try stripe.collect(id, succeeds: true)
            #expect(status(stripe, id) == "active")
        }
    }

    @Test
    func customersLeaveWithAllTheyHave() async throws {
        try await withStripe { stripe, api, _ in
            stripe.addCustomer("cus_1")
            let subscriptions = try ["price_a", "price_b"].map { try stripe.subscribe("cus_1", to: [$0]) }
            try stripe.deleteCustomer("cus_1")
            #expect(subscriptions.allSatisfy { status(stripe, $0) == "canceled" })
            #expect(
                types(stripe, last: 3) == [
                    "customer.subscription.deleted", "customer.subscription.deleted", "customer.deleted",
                ])
            let read = try await api.get("/v1/customers/cus_1")
            #expect(read.json == ["id": "cus_1", "object": "customer", "deleted": true])
            let checkout = try await api.form("/v1/checkout/sessions", "\(upgrade)&customer=cus_1")
            #expect(checkout.json["error"]["param"] == "customer")
            let listed = try await api.get("/v1/subscriptions?customer=cus_1&status=all")
            #expect(listed.json["data"].elements?.count == 2)
        }
    }

    @Test
    func paymentsAreGivenBackAndTakenBack() async throws {
        try await withSubscription { stripe, id, _ in
            try stripe.refund(id)
            let charge = stripe.webhooks.events.last?["data"]["object"]
            #expect(types(stripe, last: 1) == ["charge.refunded"])
            #expect(charge?["refunded"] == true)
            #expect(charge?["amount_refunded"] == charge?["amount"])
            #expect(charge?["customer"] == "cus_1")
            #expect(try stripe.refund(id).isEmpty)
            try stripe.loseDispute(over: id)
            #expect(types(stripe, last: 2) == ["charge.dispute.created", "charge.dispute.closed"])
            let dispute = stripe.webhooks.events.last?["data"]["object"]
            #expect(dispute?["status"] == "lost")
            #expect(dispute?["charge"] == charge?["id"])
            #expect(status(stripe, id) == "active", "neither ends the subscription")
        }
        try await withSubscription(trialDays: 7) { stripe, id, _ in
            #expect(throws: (any Error).self) { try stripe.refund(id) }
        }
    }
}
