import StripeBilling
import Testing
import TollgateCore

/// What events mean for a user.
@Suite struct StripeEventEffectTests {
    @Test(arguments: ["paid", "no_payment_required"])
    func aPaidCheckoutGrants(_ paymentStatus: String) throws {
        for type in ["checkout.session.completed", "checkout.session.async_payment_succeeded"] {
            let change = try change(type, checkout(["payment_status": "\"\(paymentStatus)\""]))
            #expect(change?.kind == .checkoutPaid)
            #expect(change?.keepsPlan == true)
            #expect(change?.facts.userIDs.map(\.value) == ["user_1"])
            #expect(change?.facts.customerID == "cus_1")
            #expect(change?.facts.subscriptionID == "sub_1")
            #expect(change?.facts.tier == "paid")
            #expect(change?.eventID == "evt_1")
            #expect(change?.eventTime == UnixTime(seconds: now))
            #expect(change?.facts.status == nil)
        }
    }

    @Test(
        arguments: [
            ("checkout.session.completed", ["payment_status": #""unpaid""#], .notPaidYet),
            ("checkout.session.completed", ["payment_status": #""new""#], .notPaidYet),
            ("checkout.session.completed", ["payment_status": nil], .notPaidYet),
            ("checkout.session.async_payment_succeeded", ["payment_status": #""unpaid""#], .notPaidYet),
            ("checkout.session.completed", ["mode": #""payment""#], .notForSubscription),
            ("checkout.session.completed", ["mode": #""setup""#], .notForSubscription),
            ("checkout.session.completed", ["mode": nil], .notForSubscription),
            ("checkout.session.async_payment_failed", ["mode": #""payment""#], .notForSubscription),
            ("checkout.session.expired", [:], .otherType),
            ("checkout.session.new", [:], .otherType),
        ] as [(String, [String: String?], StripeEventEffect.IgnoredReason)])
    func otherCheckoutsAreIgnored(
        _ type: String, _ members: [String: String?], _ reason: StripeEventEffect.IgnoredReason
    ) throws {
        #expect(try meaning(type, checkout(members)) == .ignored(reason))
    }

    @Test func aCheckoutWhosePaymentFailedGrantsNothing() throws {
        let unpaid = checkout(["payment_status": #""unpaid""#])
        let change = try change("checkout.session.async_payment_failed", unpaid)
        #expect(change?.kind == .paymentFailed)
        #expect(change?.keepsPlan == nil)
        #expect(change?.facts.userIDs.map(\.value) == ["user_1"])
    }

    @Test(
        arguments: [
            (["client_reference_id": #""user_2""#], ["user_2", "user_1"]),
            (["client_reference_id": "null"], ["user_1"]),
            (["client_reference_id": #""two words""#], ["user_1"]),
            (["client_reference_id": #""""#], ["user_1"]),
            (["metadata": "null"], ["user_1"]),
            (["metadata": #"{"userId":"user}1"}"#], ["user_1"]),
            (["client_reference_id": "null", "metadata": "{}"], []),
            (["client_reference_id": "7", "metadata": #"{"userId":7}"#], []),
        ] as [([String: String?], [String])])
    func whoACheckoutMayBeAbout(_ members: [String: String?], _ users: [String]) throws {
        let change = try change("checkout.session.completed", checkout(members))
        #expect(change?.facts.userIDs.map(\.value) == users)
    }

    @Test func whatACheckoutMayLack() throws {
        let members = ["customer": "null", "subscription": "null", "metadata": nil]
        let change = try change("checkout.session.completed", checkout(members))
        #expect(change?.facts.customerID == nil)
        #expect(change?.facts.subscriptionID == nil)
        #expect(change?.facts.tier == nil)
    }

    @Test func expandedFieldsAreRead() throws {
        let members = ["customer": #"{"id":"cus_2","deleted":true}"#, "subscription": #"{"id":"sub_2"}"#]
        let change = try change("checkout.session.completed", checkout(members))
        #expect(change?.facts.customerID == "cus_2")
        #expect(change?.facts.subscriptionID == "sub_2")
    }

    @Test(arguments: ["created", "updated", "paused", "resumed"])
    func aSubscriptionIsWhatItsStatusSays(_ what: String) throws {
        for json in [subscription(), earlySubscription()] {
            let change = try change("customer.subscription.\(what)", json)
            #expect(change?.kind == .subscription)
            #expect(change?.facts.status == .active)
            #expect(change?.keepsPlan == true)
            #expect(change?.facts.userIDs.map(\.value) == ["user_1"])
            #expect(change?.facts.customerID == "cus_1")
            #expect(change?.facts.subscriptionID == "sub_1")
            #expect(change?.facts.tier == "paid")
            #expect(change?.facts.priceIDs == ["price_1"])
            #expect(change?.facts.period?.start == UnixTime(seconds: now))
            #expect(change?.facts.period?.end == UnixTime(seconds: now + 2_592_000))
        }
    }

    @Test func aDeletedSubscriptionGivesNothingWhateverItsStatus() throws {
        for status in ["canceled", "incomplete_expired", "active"] {
            let change = try change("customer.subscription.deleted", subscription(["status": "\"\(status)\""]))
            #expect(change?.kind == .deleted)
            #expect(change?.facts.status == SubscriptionStatus(status))
            #expect(change?.keepsPlan == false)
        }
    }

    @Test(arguments: ["trial_will_end", "pending_update_applied", "new"])
    func otherEventsOfSubscriptionsAreIgnored(_ what: String) throws {
        #expect(try meaning("customer.subscription.\(what)", subscription()) == .ignored(.otherType))
    }

    @Test func whatASubscriptionMayLack() throws {
        let change = try change("customer.subscription.created", #"{"id":"sub_1","status":"active"}"#)
        #expect(change?.facts.userIDs.isEmpty == true)
        #expect(change?.facts.tier == nil)
        #expect(change?.facts.priceIDs.isEmpty == true)
        #expect(change?.facts.period?.end == nil)
    }

    /// Until its end it is what its status says.
    @Test func aSubscriptionThatWillEnd() throws {
        for members in [["cancel_at_period_end": "true", "cancel_at": "\(now + 5)"], ["cancel_at": "\(now + 5)"]] {
            let change = try change("customer.subscription.updated", subscription(members))
            #expect(change?.facts.status == .active)
            #expect(change?.keepsPlan == true)
        }
    }

    @Test func theItemThatEndsLastSetsThePeriod() throws {
        let items = """
            {"data":[{"price":"price_1","current_period_start":1,"current_period_end":10},\
            {"price":{"id":"price_2"},"current_period_start":2,"current_period_end":20},{"price":{"id":"price_3"}}]}
            """
        let change = try change("customer.subscription.updated", subscription(["items": items]))
        #expect(change?.facts.priceIDs == ["price_1", "price_2", "price_3"])
        #expect(change?.facts.period?.start == UnixTime(seconds: 2))
        #expect(change?.facts.period?.end == UnixTime(seconds: 20))
    }

    @Test(arguments: [
        ("invoice.paid", SubscriptionChange.Kind.paymentSucceeded),
        ("invoice.payment_succeeded", .paymentSucceeded), ("invoice.payment_failed", .paymentFailed),
    ])
    func invoicesTellOfPayments(_ type: String, _ kind: SubscriptionChange.Kind) throws {
        let expanded =
            #"{"subscription_details":{"subscription":{"id":"sub_1"},"metadata":{"userId":"user_1","tier":"paid"}}}"#
        for json in [invoice(), earlyInvoice(), invoice(["parent": expanded])] {
            let change = try change(type, json)
            #expect(change?.kind == kind)
            #expect(change?.facts.userIDs.map(\.value) == ["user_1"])
            #expect(change?.facts.customerID == "cus_1")
            #expect(change?.facts.subscriptionID == "sub_1")
            #expect(change?.facts.tier == "paid")
            #expect(change?.facts.priceIDs == ["price_1"])
            #expect(change?.facts.status == nil)
            #expect(change?.keepsPlan == nil)
        }
        #expect(try meaning(type, invoice(["parent": "null"])) == .ignored(.notForSubscription))
        #expect(try meaning(type, "{}") == .ignored(.notForSubscription))
    }

    @Test(arguments: ["invoice.created", "invoice.upcoming", "charge.refunded", "charge.dispute.created", "v2.core.x"])
    func otherEventsAreIgnored(_ type: String) throws {
        #expect(try meaning(type, invoice()) == .ignored(.otherType))
    }
}
