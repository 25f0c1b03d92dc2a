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
            #expect(change?.facts.userID?.value == "user_1")
            #expect(change?.facts.reference?.value == "user_1")
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
        #expect(change?.facts.userID?.value == "user_1")
    }

    /// Whom the metadata names, and whom the payer has named, who may name anyone.
    @Test(
        arguments: [
            (["client_reference_id": #""user_2""#], "user_1", "user_2"),
            (["client_reference_id": "null"], "user_1", nil),
            (["client_reference_id": #""two words""#], "user_1", nil),
            (["client_reference_id": #""""#], "user_1", nil),
            (["metadata": "null"], nil, "user_1"),
            (["metadata": #"{"userId":"user}1"}"#], nil, "user_1"),
            (["client_reference_id": "null", "metadata": "{}"], nil, nil),
            (["client_reference_id": "7", "metadata": #"{"userId":7}"#], nil, nil),
        ] as [([String: String?], String?, String?)])
    func whoACheckoutMayBeAbout(_ members: [String: String?], _ user: String?, _ reference: String?) throws {
        let change = try change("checkout.session.completed", checkout(members))
        #expect(change?.facts.userID?.value == user)
        #expect(change?.facts.reference?.value == reference)
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
            #expect(change?.facts.userID?.value == "user_1")
            #expect(change?.facts.customerID == "cus_1")
            #expect(change?.facts.subscriptionID == "sub_1")
            #expect(change?.facts.tier == "paid")
            #expect(change?.facts.priceIDs == ["price_1"])
            #expect(change?.facts.period?.start == UnixTime(seconds: now))
            #expect(change?.facts.period?.end == UnixTime(seconds: now + 2_592_000))
        }
    }

    @Test func aDeletedSubscriptionIsToldApart() throws {
        for status in ["canceled", "incomplete_expired", "active"] {
            let change = try change("customer.subscription.deleted", subscription(["status": "\"\(status)\""]))
            #expect(change?.kind == .deleted)
            #expect(change?.facts.status == SubscriptionStatus(status))
        }
    }

    @Test(arguments: ["trial_will_end", "pending_update_applied", "new"])
    func otherEventsOfSubscriptionsAreIgnored(_ what: String) throws {
        #expect(try meaning("customer.subscription.\(what)", subscription()) == .ignored(.otherType))
    }

    @Test func whatASubscriptionMayLack() throws {
        let change = try change("customer.subscription.created", #"{"id":"sub_1","status":"active"}"#)
        #expect(change?.facts.userID == nil && change?.facts.endsAt == nil && change?.facts.trialEnd == nil)
        #expect(change?.facts.collectionPause == nil)
        #expect(change?.facts.tier == nil)
        #expect(change?.facts.priceIDs.isEmpty == true)
        #expect(change?.facts.period?.end == nil)
    }

    /// Until its end it is what its status says. `cancel_at` is more exact than the period's end.
    @Test(
        arguments: [
            (["cancel_at_period_end": "true", "cancel_at": "\(now + 5)"], now + 5),
            (["cancel_at": "\(now + 5)"], now + 5), (["cancel_at_period_end": "true"], now + 2_592_000),
            (["cancel_at_period_end": "true", "items": "null"], nil), ([:], nil),
        ] as [([String: String?], Int64?)])
    func aSubscriptionThatWillEnd(_ members: [String: String?], _ end: Int64?) throws {
        let change = try change("customer.subscription.updated", subscription(members))
        #expect(change?.facts.status == .active)
        #expect(change?.facts.endsAt == end.map { UnixTime(seconds: $0) })
    }

    @Test(
        arguments: [
            ("null", nil), (#"{"behavior":"void","resumes_at":null}"#, .untilFurtherNotice),
            (#"{"behavior":"keep_as_draft"}"#, .untilFurtherNotice),
            (#"{"behavior":"mark_uncollectible","resumes_at":\#(now + 9)}"#, .until(UnixTime(seconds: now + 9))),
        ] as [(String, Subscription.CollectionPause?)])
    func aSubscriptionOfWhichNothingIsCollected(_ pause: String, _ expected: Subscription.CollectionPause?) throws {
        let change = try change("customer.subscription.updated", subscription(["pause_collection": pause]))
        #expect(change?.facts.status == .active)
        #expect(change?.facts.collectionPause == expected)
    }

    @Test func aTrialTellsWhenItEnds() throws {
        let members = ["status": #""trialing""#, "trial_end": "\(now + 7)"]
        let change = try change("customer.subscription.created", subscription(members))
        #expect(change?.facts.status == .trialing && change?.facts.trialEnd == UnixTime(seconds: now + 7))
    }

    /// A year that begins on the 28th may have begun on a 29th.
    @Test func ofALongPeriodTheAnchorIsTold() throws {
        for (days, isTold) in [(Int64(31), false), (365, true)] {
            let items = """
                {"data":[{"price":"price_1","current_period_start":\(now),\
                "current_period_end":\(now + days * 86_400)}]}
                """
            let change = try change(
                "customer.subscription.updated",
                subscription(["items": items, "billing_cycle_anchor": "\(now - 86_400)"]))
            #expect(change?.facts.period?.anchor == (isTold ? UnixTime(seconds: now - 86_400) : nil))
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
            #expect(change?.facts.userID?.value == "user_1")
            #expect(change?.facts.customerID == "cus_1")
            #expect(change?.facts.subscriptionID == "sub_1")
            #expect(change?.facts.tier == "paid")
            #expect(change?.facts.priceIDs == ["price_1"])
            #expect(change?.facts.status == nil)
        }
        #expect(try meaning(type, invoice(["parent": "null"])) == .ignored(.notForSubscription))
        #expect(try meaning(type, "{}") == .ignored(.notForSubscription))
    }

    @Test func aDeletedCustomerTakesEverythingAlong() throws {
        let change = try change("customer.deleted", #"{"id":"cus_1","metadata":{"userId":"user_1"}}"#)
        #expect(change?.kind == .customerDeleted && change?.facts.customerID == "cus_1")
        #expect(change?.facts.userID?.value == "user_1" && change?.facts.subscriptionID == nil)
        #expect(try meaning("customer.deleted", "{}") == .ignored(.notForSubscription))
        #expect(try meaning("customer.updated", #"{"id":"cus_1"}"#) == .ignored(.otherType))
    }

    /// A connected account sells for itself, and writes whatever metadata it likes.
    @Test func eventsOfConnectedAccountsAreIgnored() throws {
        let own = String(decoding: eventBody("customer.subscription.updated", subscription()), as: UTF8.self)
        let foreign = own.replacing(#""livemode""#, with: #""account":"acct_1","livemode""#)
        let event = try StripeEvent(parsing: Array(foreign.utf8))
        #expect(event.meaning == .ignored(.connectedAccount))
        let none = own.replacing(#""livemode""#, with: #""account":null,"livemode""#)
        guard case .subscriptionChanged = try StripeEvent(parsing: Array(none.utf8)).meaning else {
            Issue.record("an event without an account is the account's own")
            return
        }
    }

    @Test func paymentsThatAreReturnedInFullMatter() throws {
        func payment(_ more: String, intent: String = #""pi_1""#) -> String {
            #"{"id":"ch_1","object":"charge","customer":"cus_1","payment_intent":\#(intent),\#(more)}"#
        }
        for (type, object) in [
            ("charge.refunded", payment(#""refunded":true"#)), ("charge.dispute.closed", payment(#""status":"lost""#)),
        ] {
            let change = try change(type, object)
            #expect(change?.kind == .paymentReturned && change?.facts.paymentID == "pi_1", "\(type)")
        }
        for (type, object) in [
            ("charge.refunded", payment(#""refunded":false"#)), ("charge.dispute.closed", payment(#""status":"won""#)),
            ("charge.refunded", payment(#""refunded":true"#, intent: "null")),
        ] {
            #expect(try meaning(type, object) == .ignored(.notReturned), "\(object)")
        }
    }

    @Test(arguments: ["invoice.created", "invoice.upcoming", "charge.succeeded", "charge.dispute.created", "v2.core.x"])
    func otherEventsAreIgnored(_ type: String) throws {
        #expect(try meaning(type, invoice()) == .ignored(.otherType))
    }
}
