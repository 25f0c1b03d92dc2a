import Libcrypto
package import TollgateCore

/// Proves that a webhook came from Stripe: the header `Stripe-Signature`, `t=<unix seconds>,v1=<hex>[,v1=<hex>…]`.
///
/// A signature is the HMAC-SHA256 of `<t>.<raw body>` under the whole text of the endpoint's secret, `whsec_` included.
/// While a secret is rolled there are two of them, on their side and on ours: one match suffices.
package enum WebhookSignature {
    /// How far the time of signing may be from ours, either way. The SDK, with the same number, looks back only.
    static let toleranceSeconds: Int64 = 300

    /// Two signatures take 160 bytes.
    package static let maximumHeaderBytes = 4096

    /// One for each secret that is active; two during a roll.
    package static let maximumSignatures = 20

    /// Returns if the holder of one of `secrets` signed `payload` about `now`.
    ///
    /// - Parameters:
    ///   - header: The value of `Stripe-Signature`, if there is one.
    ///   - payload: The request's body as it came: parsed and written again it is another text.
    ///   - secrets: The endpoint's signing secrets. Blank ones are left out, for every client knows them.
    package static func verify(
        header: String?, payload: [UInt8], secrets: [String], at now: UnixTime
    ) throws(WebhookSignatureProblem) {
        guard let header, !header.isEmpty else { throw .headerMissing }
        let secrets = secrets.filter { !$0.allSatisfy(\.isWhitespace) }
        guard !secrets.isEmpty else { throw .secretMissing }

        let (timestamp, signatures) = try parse(header)
        let expected = secrets.map { signature(of: payload, secret: $0, timestamp: timestamp) }
        guard signatures.contains(where: { given in expected.contains { ConstantTime.equals(given, $0) } }) else {
            throw .signatureMismatch
        }
        guard timestamp >= now.seconds - toleranceSeconds else { throw .timestampTooOld }
        guard timestamp <= now.seconds + toleranceSeconds else { throw .timestampInTheFuture }
    }

    /// The header with which Stripe would send `payload`: for stand-ins of Stripe and for tests.
    package static func sign(payload: [UInt8], secret: String, at now: UnixTime) -> String {
        let signature = signature(of: payload, secret: secret, timestamp: now.seconds)
        return "t=\(now.seconds),v1=\(String(decoding: signature, as: UTF8.self))"
    }

    /// 64 lower-case hexadecimal digits. They are compared as text, so a signature has one spelling only.
    private static func signature(of payload: [UInt8], secret: String, timestamp: Int64) -> [UInt8] {
        let code = HMACSHA256.authenticationCode(of: Array("\(timestamp).".utf8) + payload, key: Array(secret.utf8))
        return Array(Hexadecimal.encode(code).utf8)
    }

    /// The first `t` and every `v1`, as bytes: blanks are not trimmed, and what else there is is left alone.
    private static func parse(
        _ header: String
    ) throws(WebhookSignatureProblem) -> (timestamp: Int64, signatures: [[UInt8]]) {
        guard header.utf8.count <= maximumHeaderBytes else { throw .headerTooLong }
        var timestampText: String?
        var signatures: [[UInt8]] = []
        for item in header.utf8.split(separator: UInt8(ascii: ",")) {
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            if parts[0].elementsEqual("t".utf8) {
                timestampText = timestampText ?? String(decoding: parts[1], as: UTF8.self)
            } else if parts[0].elementsEqual("v1".utf8) {
                signatures.append(Array(parts[1]))
            }
        }
        guard let timestamp = timestampText.flatMap({ Int64($0) }) else { throw .headerMalformed }
        guard !signatures.isEmpty else { throw .signatureMissing }
        guard signatures.count <= maximumSignatures else { throw .tooManySignatures }
        return (timestamp, signatures)
    }
}
