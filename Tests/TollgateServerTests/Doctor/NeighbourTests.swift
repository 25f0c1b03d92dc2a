import Foundation
import OutboundCalls
import StripeBilling
import TestSupport
import Testing
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane

@testable import TollgateServer

/// What the doctor thinks of what Clerk and Stripe answer, and of certificates.
@Suite struct NeighbourTests {
    private static func verdict(_ code: String, _ findings: [Finding]) -> Finding.Verdict? {
        findings.first { $0.code == code }?.verdict
    }

    // MARK: Stripe

    private static func error(_ status: Int?) -> CallError {
        CallError(.stripe, status == nil ? .unreachable : .refused, "no", httpStatus: status)
    }

    private static func price(
        _ amount: Int64? = 2900, _ currency: String = "usd", isActive: Bool = true, isRecurring: Bool = true,
        isMonthly: Bool = true
    ) -> Result<StripePrice?, CallError> {
        .success(
            StripePrice(
                isActive: isActive, isRecurring: isRecurring, isMonthly: isMonthly, currency: currency,
                unitAmount: amount))
    }

    private static func stripe(
        key: Result<Void, CallError> = .success(()), price: Result<StripePrice?, CallError> = price(),
        shown: String? = "29 USD", registrations: Result<[StripeWebhookRegistration], CallError>? = nil
    ) -> [Finding] {
        let sale = StripeFacts.Sale(
            plan: "paid", priceID: "price_1", shown: shown.flatMap { PlanPrice($0) }, price: price)
        return StripeFacts(key: key, sales: [sale], registrations: registrations).findings
    }

    @Test(
        arguments: [(nil, .fail), (401, .fail), (403, .fail), (500, .fail)] as [(Int?, Finding.Verdict)])
    func keys(status: Int?, verdict: Finding.Verdict) {
        #expect(Self.verdict("secret-key", Self.stripe(key: .failure(Self.error(status)))) == verdict)
        #expect(Self.verdict("secret-key", Self.stripe()) == .ok)
    }

    @Test(
        arguments: [
            (price(), "29 USD", .ok), (price(), "29.00 USD", .ok), (price(2950), "29.50 USD", .ok),
            (price(2950), "29.5 USD", .ok), (price(), nil, .ok), (price(nil), "29 USD", .ok),
            (price(3900), "29 USD", .warn), (price(2900, "eur"), "29 USD", .warn),
            (price(2900, "jpy"), "2900 JPY", .ok),
            (price(29_000, isMonthly: false), "29 USD", .ok), (price(isActive: false), "29 USD", .fail),
            (price(isRecurring: false), "29 USD", .fail), (.success(nil), "29 USD", .fail),
            (.failure(error(403)), "29 USD", .skipped),
        ] as [(Result<StripePrice?, CallError>, String?, Finding.Verdict)])
    func prices(price: Result<StripePrice?, CallError>, shown: String?, verdict: Finding.Verdict) {
        let findings = Self.stripe(price: price, shown: shown)
        #expect(Self.verdict("prices", findings) == verdict, "\(findings)")
    }

    private static func endpoint(
        _ url: String = "https://api.example.com/webhook/stripe", isEnabled: Bool = true,
        events: [String] = StripeEvent.neededTypes
    ) -> StripeWebhookRegistration {
        StripeWebhookRegistration(url: url, isEnabled: isEnabled, events: Set(events))
    }

    @Test(
        arguments: [
            ([endpoint()], .ok), ([endpoint(events: ["*"])], .ok), ([], .fail),
            ([endpoint("https://x.com/hook")], .fail),
            ([endpoint(isEnabled: false)], .fail), ([endpoint(isEnabled: false), endpoint()], .ok),
            ([endpoint(events: Array(StripeEvent.neededTypes.dropLast()))], .fail),
        ] as [([StripeWebhookRegistration], Finding.Verdict)])
    func webhooks(endpoints: [StripeWebhookRegistration], verdict: Finding.Verdict) {
        let findings = Self.stripe(registrations: .success(endpoints))
        #expect(Self.verdict("webhook", findings) == verdict, "\(findings)")
    }

    @Test func whatIsNotPermittedIsSkipped() {
        #expect(Self.verdict("webhook", Self.stripe(registrations: .failure(Self.error(403)))) == .skipped)
        #expect(Self.verdict("webhook", Self.stripe()) == .skipped)
    }

    /// The guide names the events that have to be sent, and each of them means something.
    @Test func neededEventsAreDocumented() throws {
        let text = try ReferencePage("Guides/Selling").text
        let start = try #require(text.range(of: "4. **Stripe, webhook.**"))
        let section = text[start.upperBound...].prefix { $0 != "5" }
        let words = section.split(separator: "`").map(String.init)
        let documented = words.filter { $0.contains(".") && !$0.contains("/") && !$0.contains(" ") }
        let types = StripeEvent.neededTypes + StripeEvent.typesOfReturnedPayments
        #expect(documented == types)
        for type in types {
            let body = #"{"id":"evt_1","type":"\#(type)","created":1,"livemode":false,"data":{"object":{}}}"#
            let event = try? StripeEvent(parsing: Array(body.utf8))
            #expect(event?.meaning != .ignored(.otherType), "\(type)")
        }
    }

    // MARK: Clerk

    private static func clerk(
        _ keys: ClerkFacts.SigningKeys = .given, _ secret: ClerkFacts.SecretKey = .notConfigured, ahead: Int64? = nil,
        isLive: Bool? = nil, stripeIsLive: Bool? = nil
    ) -> [Finding] {
        ClerkFacts(
            signingKeys: keys, secretKey: secret, aheadSeconds: ahead, isLive: isLive, stripeIsLive: stripeIsLive
        ).findings
    }

    @Test func clerkIsJudged() {
        #expect(Self.verdict("signing-keys", Self.clerk()) == .ok)
        let away = ClerkFacts.SigningKeys.unavailable(from: "https://x", reason: "no")
        #expect(Self.verdict("signing-keys", Self.clerk(away)) == .fail)
        #expect(Self.verdict("secret-key", Self.clerk()) == .skipped)
        #expect(Self.verdict("secret-key", Self.clerk(.given, .refused)) == .fail)
        #expect(Self.verdict("secret-key", Self.clerk(.given, .unavailable(reason: "no"))) == .warn)
        let loaded = ClerkFacts.SigningKeys.loaded(from: "https://x", names: ["a"])
        #expect(Self.verdict("instance", Self.clerk(loaded, .taken(keyNames: ["a", "b"]))) == .ok)
        #expect(Self.verdict("instance", Self.clerk(loaded, .taken(keyNames: ["b"]))) == .fail)
        for (ahead, verdict) in [(5, .ok), (-5, .ok), (6, .warn), (-60, .warn)] as [(Int64, Finding.Verdict)] {
            #expect(Self.verdict("clerk-clock", Self.clerk(ahead: ahead)) == verdict, "\(ahead)")
        }
        #expect(Self.verdict("mode", Self.clerk(isLive: true, stripeIsLive: true)) == .ok)
        #expect(Self.verdict("mode", Self.clerk(isLive: true, stripeIsLive: false)) == .warn)
        #expect(Self.verdict("mode", Self.clerk(isLive: true)) == nil)
    }

    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("nonsense", nil),
            ("Sun, 06 Foo 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 08:49 GMT", nil),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil),
        ] as [(String, Int64?)])
    func dates(text: String, seconds: Int64?) {
        #expect(HTTPDate.moment(in: text)?.seconds == seconds)
    }

    // MARK: Certificates

    @Test(
        arguments: [(-1, .fail), (0, .fail), (1, .warn), (29, .warn), (30, .ok), (400, .ok)]
            as [(Int64, Finding.Verdict)])
    func certificates(days: Int64, verdict: Finding.Verdict) {
        let now = UnixTime(seconds: 1_795_860_000)
        let finding = Finding.certificate(of: "Redis", ends: now.adding(seconds: days * 86_400), now: now)
        #expect(finding.verdict == verdict && finding.found.contains("Redis"))
    }
}
