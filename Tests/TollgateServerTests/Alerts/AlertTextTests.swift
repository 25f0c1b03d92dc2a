import JSONValue
import Testing
@testable import TollgateServer

/// What people read of alerts.
@Suite struct AlertTextTests {
    private static func text(_ json: String) throws -> AlertText {
        AlertText(try #require(JSON(parsing: json.utf8)), id: "msg_1")
    }

    @Test func aThresholdIsToldWithItsFigures() throws {
        let text = try Self.text(
            #"{"type":"quota.threshold","timestamp":"2026-11-29T14:23:55Z","data":{"user":"user_abc","plan":"free","period":"2026-11-01","periodEnd":"2026-12-01T00:00:00Z","percent":80,"used":8,"limit":10}}"#
        )
        #expect(text.subject == "user_abc has used 80 % of the quota")
        #expect(
            text.body == """
                The user user_abc has used 80 % of the quota of the plan free: 8 of 10 calls.
                The period began at 2026-11-01 and ends at 2026-12-01T00:00:00Z.
                With the quota used up, calls are refused until then.

                Noticed at 2026-11-29T14:23:55Z.

                Offer a larger plan, or grant more calls in this period:
                  tollgate users grant user_abc --calls 100 --reason courtesy
                  tollgate users show user_abc

                msg_1, by Tollgate.
                The same alert has the same Message-ID.

                """)
    }

    @Test func aPaymentAndAKeyAreToldOf() throws {
        let payment = try Self.text(
            #"{"type":"payment.failed","timestamp":"2026-11-29T12:00:00Z","data":{"user":"user_abc","customer":null,"subscription":"sub_1","invoice":"in_1","attempt":2}}"#
        )
        #expect(payment.subject == "A payment of user_abc did not come in")
        #expect(payment.body.contains("an invoice of the user user_abc, at try 2.\nInvoice: in_1\n"))
        #expect(payment.body.contains("Customer: -, subscription: sub_1\n"))
        let key = try Self.text(
            #"{"type":"key.expiring","timestamp":"2026-11-29T12:00:00Z","data":{"user":"user_abc","key":"key_1","name":"CI","expiresAt":"2026-12-06T11:00:00Z"}}"#
        )
        #expect(key.subject == "A key of user_abc ends at 2026-12-06T11:00:00Z")
        #expect(key.body.contains("Its name: CI\n"))
    }

    /// Names of keys are what users like.
    @Test(arguments: [
        #"x\r\nBcc: evil@example.com"#, #"x\nyours, Tollgate"#, #"\u2028x"#, #"\u0000"#, #"\u001b[2J"#, #"\u0085x"#,
        #"\u202ex"#,
    ])
    func namesMakeNoLines(name: String) throws {
        func key(_ name: String) throws -> AlertText {
            try Self.text(#"{"type":"key.expiring","data":{"user":"user_abc","key":"key_1","name":"\#(name)"}}"#)
        }
        let (plain, odd) = (try key("CI"), try key(name))
        #expect(odd.subject == plain.subject)
        #expect(
            odd.body.split(whereSeparator: \.isNewline).count == plain.body.split(whereSeparator: \.isNewline).count)
    }

    @Test func whatIsNotKnownIsToldAllTheSame() throws {
        #expect(
            try Self.text(#"{"type":"moon.landing","data":{"user":"user_abc"}}"#).subject == "An alert: moon.landing")
        #expect(try Self.text("null").body.contains("Noticed at -."))
        let user = try Self.text(#"{"type":"quota.threshold","data":{"user":"google|1"}}"#)
        #expect(user.body.contains("tollgate users show 'google|1'\n"))
    }
}
