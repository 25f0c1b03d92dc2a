import Libcrypto
import StripeBilling
import Testing
import TollgateCore

private let payload = Array(#"{"id":"evt_1"}"#.utf8)
private let signedAt = UnixTime(seconds: 1_700_000_000)
private let secret = "whsec_one"
private let digits = "401fbbceeb3818dc562ff77127ba1c62e47e24c9c6cde4d7a6eba85e32dbd058"

/// Which requests are believed to be Stripe's.
@Suite struct WebhookSignatureTests {
    private func problem(
        _ header: String?, payload: [UInt8] = payload, secrets: [String] = [secret], at now: UnixTime = signedAt
    ) -> WebhookSignatureProblem? {
        do {
            try WebhookSignature.verify(header: header, payload: payload, secrets: secrets, at: now)
            return nil
        } catch {
            return error
        }
    }

    /// The header as Stripe's Python SDK 16.1.0 makes it (`generate_signature_header`).
    @Test func theSDKSignsTheSame() {
        let header = WebhookSignature.sign(payload: payload, secret: secret, at: signedAt)
        #expect(header == "t=1700000000,v1=\(digits)")
        #expect(problem(header) == nil)
    }

    @Test(
        arguments: [
            (nil, .headerMissing),
            ("", .headerMissing),
            ("nonsense", .headerMalformed),
            (",,,", .headerMalformed),
            ("t=", .headerMalformed),
            ("t=abc,v1=\(digits)", .headerMalformed),
            ("t=99999999999999999999,v1=\(digits)", .headerMalformed),
            ("v1=\(digits)", .headerMalformed),
            ("T=1700000000,v1=\(digits)", .headerMalformed),
            ("t=abc,t=1700000000,v1=\(digits)", .headerMalformed),
            ("t=1700000000", .signatureMissing),
            ("t=1700000000,v1", .signatureMissing),
            ("t=1700000000,v0=\(digits)", .signatureMissing),
            ("t=1700000000, v1=\(digits)", .signatureMissing),
            ("t=1700000000,V1=\(digits)", .signatureMissing),
            ("t=1700000000,v1=", .signatureMismatch),
            ("t=1700000000,v1=\(digits.uppercased())", .signatureMismatch),
            ("t=1700000000,v1=\(digits) ", .signatureMismatch),
            ("t=1700000000,v1=\(digits)=", .signatureMismatch),
            ("t=1700000000,v1=\(digits.dropLast())", .signatureMismatch),
            ("t=1700000000,v1=\(digits.dropLast())é", .signatureMismatch),
            ("t=1700000000,v1=\u{FF13}\(digits.dropFirst())", .signatureMismatch),
            ("t=1700000001,v1=\(digits)", .signatureMismatch),
            ("t=-9223372036854775808,v1=\(digits)", .signatureMismatch),
            ("t=9223372036854775807,v1=\(digits)", .signatureMismatch),
            ("t=1700000001,t=1700000000,v1=\(digits)", .signatureMismatch),
            ("t=1700000000,v1=\(digits)", nil),
            ("v1=\(digits),t=1700000000", nil),
            ("t=1700000000,t=1700000001,v1=\(digits)", nil),
            ("t=1700000000,v1=0000,v1=\(digits)", nil),
            ("t=1700000000,v1=\(digits),v0=0000,v2=é,,x", nil),
            ("t=1700000000, v1=0000,v1=\(digits)", nil),
        ] as [(String?, WebhookSignatureProblem?)])
    func header(_ header: String?, _ expected: WebhookSignatureProblem?) {
        #expect(problem(header) == expected)
    }

    @Test func bytesThatWereChangedAreNotBelieved() {
        let header = WebhookSignature.sign(payload: payload, secret: secret, at: signedAt)
        for index in payload.indices {
            var changed = payload
            changed[index] ^= 1
            #expect(problem(header, payload: changed) == .signatureMismatch)
        }
        #expect(problem(header, payload: payload + [10]) == .signatureMismatch)
        #expect(problem(header, payload: []) == .signatureMismatch)
    }

    @Test func bytesNeedNotBeText() {
        let payload: [UInt8] = [0xff, 0x00, 0xfe]
        let header = WebhookSignature.sign(payload: payload, secret: secret, at: signedAt)
        #expect(problem(header, payload: payload) == nil)
    }

    @Test(
        arguments: [
            (-301, .timestampInTheFuture), (-300, nil), (0, nil), (300, nil), (301, .timestampTooOld),
            (-1_000_000, .timestampInTheFuture), (1_000_000, .timestampTooOld),
        ] as [(Int64, WebhookSignatureProblem?)])
    func secondsSinceSigning(_ seconds: Int64, _ expected: WebhookSignatureProblem?) {
        let header = WebhookSignature.sign(payload: payload, secret: secret, at: signedAt)
        #expect(problem(header, at: signedAt.adding(seconds: seconds)) == expected)
    }

    /// A forged header must not learn what time it is here.
    @Test func theSignatureIsComparedBeforeTheTime() {
        #expect(problem("t=1,v1=\(digits)") == .signatureMismatch)
    }

    @Test func aSecretIsRolled() {
        let old = WebhookSignature.sign(payload: payload, secret: secret, at: signedAt)
        let new = WebhookSignature.sign(payload: payload, secret: "whsec_two", at: signedAt)
        let both = old + "," + new.split(separator: ",")[1]
        #expect(problem(old, secrets: ["whsec_two"]) == .signatureMismatch)
        #expect(problem(new, secrets: [secret]) == .signatureMismatch)
        for secrets in [[secret, "whsec_two"], ["whsec_two", secret]] {
            #expect(problem(old, secrets: secrets) == nil)
            #expect(problem(new, secrets: secrets) == nil)
        }
        for secret in [secret, "whsec_two"] { #expect(problem(both, secrets: [secret]) == nil) }
        #expect(problem(both, secrets: ["whsec_three"]) == .signatureMismatch)
    }

    /// Any client can sign with an empty secret.
    @Test func blankSecretsAreNone() {
        for blank in ["", " ", "\n"] {
            let header = WebhookSignature.sign(payload: payload, secret: blank, at: signedAt)
            #expect(problem(header, secrets: [blank]) == .secretMissing)
            #expect(problem(header, secrets: [blank, secret]) == .signatureMismatch)
        }
        #expect(problem("t=1,v1=00", secrets: []) == .secretMissing)
    }

    @Test func everythingHasALimit() {
        let signatures = Array(repeating: "v1=00", count: WebhookSignature.maximumSignatures - 1).joined(separator: ",")
        #expect(problem("t=1700000000,\(signatures),v1=\(digits)") == nil)
        #expect(problem("t=1700000000,\(signatures),v1=00,v1=\(digits)") == .tooManySignatures)

        let header = "t=1700000000,v1=\(digits),v0="
        let rest = WebhookSignature.maximumHeaderBytes - header.utf8.count
        #expect(problem(header + String(repeating: "0", count: rest)) == nil)
        #expect(problem(header + String(repeating: "0", count: rest + 1)) == .headerTooLong)
    }

    @Test func problemsReadAsInTheSDK() {
        #expect(WebhookSignatureProblem.headerMissing.description.hasPrefix("No Stripe-Signature header value"))
        #expect(WebhookSignatureProblem.secretMissing.description.hasPrefix("No webhook secret value"))
        #expect(
            WebhookSignatureProblem.headerMalformed.description
                .hasPrefix("Unable to extract timestamp and signatures from header"))
        #expect(
            WebhookSignatureProblem.signatureMissing.description
                .hasPrefix("No signatures found with expected scheme v1"))
        #expect(
            WebhookSignatureProblem.signatureMismatch.description
                .hasPrefix("No signatures found matching the expected signature"))
        for problem in [WebhookSignatureProblem.timestampTooOld, .timestampInTheFuture] {
            #expect(problem.description.hasPrefix("Timestamp outside the tolerance zone"))
        }
    }
}
