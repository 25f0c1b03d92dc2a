import StripeBilling
import Testing
import TollgateCore

/// What is an event, and what is read of its object.
@Suite struct StripeEventTests {
    private func problem(_ body: [UInt8]) -> StripeEventProblem? {
        do {
            _ = try StripeEvent(parsing: body)
            return nil
        } catch {
            return error
        }
    }

    @Test func envelope() throws {
        let event = try StripeEvent(parsing: eventBody("invoice.paid", invoice()))
        #expect(event.id == "evt_1")
        #expect(event.type == "invoice.paid")
        #expect(event.created == UnixTime(seconds: now))
        #expect(event.isLive == false)
    }

    /// Stripe writes moments in unix seconds; one that the calendar does not have is none.
    @Test(arguments: [
        "-62167219300", "-62167219201", "253402300800", "-9e15", "9e15", "1e300", "9223372036854775807", "1.5", "1e999",
    ])
    func momentsBeyondTheCalendarAreNone(number: String) throws {
        let body = #"{"id":"evt_1","type":"new.thing","created":\#(number),"livemode":true,"data":{"object":{}}}"#
        #expect(problem(Array(body.utf8)) != nil)
        let change = try change(
            "customer.subscription.updated",
            earlySubscription([
                "created": number, "current_period_start": number, "current_period_end": number, "cancel_at": number,
            ]))
        let told = try #require(change).facts
        #expect(told.startedAt == nil && told.period == nil)
    }

    /// Deeper than any stack.
    @Test(arguments: ["[", #"{"a":"#])
    func deepBodiesAreNoEvents(opening: String) {
        #expect(problem(Array(String(repeating: opening, count: 300_000).utf8)) == .notJSON)
        let closing = opening == "[" ? "]" : "}"
        let deep = String(repeating: opening, count: 500) + "1" + String(repeating: closing, count: 500)
        let body = #"{"id":"evt_1","type":"x","created":1,"livemode":true,"data":{"object":\#(deep)}}"#
        #expect(problem(Array(body.utf8)) == nil)
    }

    @Test func theVersionMayBeUnknownAndTheObjectAnything() throws {
        for object in ["null", "[]", "7", #""x""#, "{}"] {
            let body = #"""
                {"id":"evt_1","type":"new.thing","created":1,"livemode":true,"api_version":null,
                "data":{"object":\#(object)}}
                """#
            let event = try StripeEvent(parsing: Array(body.utf8))
            #expect(event.isLive)
            #expect(event.object == .other)
            #expect(event.meaning == .ignored(.otherType))
        }
    }

    @Test(arguments: [
        "", "{", "nonsense", "<html></html>", #"{"id":"evt_1""#, #"{"id":"evt_1"} x"#, "\u{0}",
        String(repeating: "[", count: 100_000),
    ])
    func whatIsNoJSON(_ body: String) {
        #expect(problem(Array(body.utf8)) == .notJSON)
    }

    /// One of version 2 of the API: it names what it is about, and does not tell how it is.
    @Test func thinEventsAreToldApart() {
        let body = #"""
            {"id":"evt_1","object":"v2.core.event","type":"v1.customer.subscription.updated","livemode":false,
            "created":"2026-11-28T10:00:00.000Z","related_object":{"id":"sub_1","type":"subscription","url":"/v1/x"}}
            """#
        #expect(problem(Array(body.utf8)) == .thin)
        #expect("\(StripeEventProblem.thin)".contains("payload style 'Snapshot'"))
    }

    @Test func whatIsNoUTF8() {
        #expect(problem(Array(#"{"id":""#.utf8) + [0xff] + Array(#""}"#.utf8)) == .notJSON)
    }

    @Test(arguments: [
        ("null", "id"), ("[]", "id"), ("7", "id"), ("true", "id"), (#""x""#, "id"), ("{}", "id"),
        (#"{"id":7}"#, "id"), (#"{"id":""}"#, "id"), (#"{"id":"evt_1"}"#, "type"),
        (#"{"id":"evt_1","type":"x"}"#, "created"),
        (#"{"id":"evt_1","type":"x","created":"2025-01-01T00:00:00Z"}"#, "created"),
        (#"{"id":"evt_1","type":"x","created":1.5}"#, "created"),
        (#"{"id":"evt_1","type":"x","created":1e300}"#, "created"),
        (#"{"id":"evt_1","type":"x","created":9223372036854775807}"#, "created"),
        (#"{"id":"evt_1","type":"x","created":1e999}"#, "created"),
        (#"{"id":"evt_1","type":"x","created":1}"#, "livemode"),
        (#"{"id":"evt_1","type":"x","created":1,"livemode":1}"#, "livemode"),
        (#"{"id":"evt_1","type":"customer.subscription.x","created":1,"livemode":true}"#, "id"),
        (
            #"{"id":"e","type":"customer.subscription.x","created":1,"livemode":true,"data":{"object":{"id":"s"}}}"#,
            "status"
        ),
        (#"{"id":"e","type":"checkout.session.x","created":1,"livemode":true,"data":[]}"#, "id"),
    ])
    func whatIsNoEvent(_ body: String, _ member: String) {
        #expect(problem(Array(body.utf8)) == .notAnEvent(member: member))
    }

    @Test(arguments: [subscription(), earlySubscription()])
    func subscriptionInBothShapes(_ json: String) throws {
        let event = try StripeEvent(parsing: eventBody("customer.subscription.updated", json))
        guard case .subscription(let subscription) = event.object else {
            Issue.record("not read as a subscription")
            return
        }
        #expect(subscription.subscriptionID == "sub_1")
        #expect(subscription.customerID == "cus_1")
        #expect(subscription.status == .active)
        #expect(subscription.userID?.value == "user_1")
        #expect(subscription.tier == "paid")
        #expect(subscription.priceIDs == ["price_1"])
        #expect(subscription.period?.start == UnixTime(seconds: now))
        #expect(subscription.period?.end == UnixTime(seconds: now + 2_592_000))
    }

    @Test(arguments: [
        ("incomplete", SubscriptionStatus.incomplete, false), ("incomplete_expired", .incompleteExpired, false),
        ("trialing", .trialing, true), ("active", .active, true), ("past_due", .pastDue, true),
        ("unpaid", .unpaid, false), ("canceled", .canceled, false), ("paused", .paused, false),
        ("frozen", .unknown("frozen"), false),
    ])
    func status(_ name: String, _ status: SubscriptionStatus, _ isLive: Bool) throws {
        #expect(SubscriptionStatus(name) == status)
        #expect(status.name == name)
        let change = try change("customer.subscription.updated", subscription(["status": "\"\(name)\""]))
        #expect(change?.facts.status == status)
        #expect(change?.facts.status?.isLive == isLive)
    }
}
