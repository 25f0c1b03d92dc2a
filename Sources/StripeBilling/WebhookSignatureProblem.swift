/// Why a webhook's signature was not believed. The raw value is the label of the metric.
package enum WebhookSignatureProblem: String, Error, Sendable, Hashable, CaseIterable {
    /// No `Stripe-Signature` header, or an empty one.
    case headerMissing = "header-missing"

    /// We have no secret to verify with: our fault, not the sender's.
    case secretMissing = "secret-missing"

    /// The header is longer than ``WebhookSignature/maximumHeaderBytes``.
    case headerTooLong = "header-too-long"

    /// No `t=<unix seconds>` in the header.
    case headerMalformed = "header-malformed"

    /// More signatures than ``WebhookSignature/maximumSignatures``.
    case tooManySignatures = "too-many-signatures"

    /// No signature of the scheme `v1`. Others are ignored: test mode adds a `v0` that proves nothing.
    case signatureMissing = "signature-missing"

    /// These bytes were signed with none of our secrets.
    case signatureMismatch = "signature-mismatch"

    /// Signed too long ago: perhaps a replay.
    case timestampTooOld = "timestamp-too-old"

    /// Signed in the future: a clock is wrong, or a replay is being prepared.
    case timestampInTheFuture = "timestamp-in-the-future"
}

extension WebhookSignatureProblem: CustomStringConvertible {
    /// One sentence for the sender, which begins as in Stripe's SDK wherever that knows the problem.
    package var description: String {
        switch self {
        case .headerMissing: "No Stripe-Signature header value was provided."
        case .secretMissing: "No webhook secret value was provided."
        case .headerTooLong: "The Stripe-Signature header is longer than \(WebhookSignature.maximumHeaderBytes) bytes."
        case .headerMalformed: "Unable to extract timestamp and signatures from header."
        case .tooManySignatures:
            "The Stripe-Signature header holds more than \(WebhookSignature.maximumSignatures) signatures."
        case .signatureMissing: "No signatures found with expected scheme v1."
        case .signatureMismatch:
            "No signatures found matching the expected signature for payload; it must be the raw request body."
        case .timestampTooOld:
            "Timestamp outside the tolerance zone: signed over \(WebhookSignature.toleranceSeconds) s ago."
        case .timestampInTheFuture:
            "Timestamp outside the tolerance zone: signed over \(WebhookSignature.toleranceSeconds) s in the future."
        }
    }
}
