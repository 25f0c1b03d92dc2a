/// A call that its sender may repeat without being charged again: the header field `Idempotency-Key`
/// (IETF httpapi, draft-ietf-httpapi-idempotency-key-header).
///
/// A repeat takes its place in the minute, since the rate limit protects the upstream, and costs nothing of the quota.
/// After ``maximumRepeats`` of them a further one is an ordinary call, or one key would be a plan without an end.
package struct IdempotentCall: Sendable, Hashable {
    /// How long a call is remembered.
    package static let keptSeconds: Int64 = 86_400

    /// Repeats of one call that cost nothing.
    package static let maximumRepeats = 10

    package static let maximumKeyLength = 255
    package static let maximumFingerprintLength = 128

    package let key: String

    /// What tells one request from another, such as a digest of method, target and body: the same key with another
    /// fingerprint is a mistake of the sender, and refused.
    package let fingerprint: String

    /// Fails when the key is empty, longer than ``maximumKeyLength``, or holds anything but visible ASCII without
    /// braces, quotes and backslashes; or the fingerprint is empty, too long, or not visible ASCII. The key becomes
    /// part of a name in Redis, where it stands in braces.
    ///
    /// - Parameter key: As in the header field; the quotes of a structured field's string are taken off.
    package init?(key: String, fingerprint: String) {
        let isQuoted = key.utf8.count > 2 && key.hasPrefix("\"") && key.hasSuffix("\"")
        let key = isQuoted ? String(key.dropFirst().dropLast()) : key
        guard (1...Self.maximumKeyLength).contains(key.utf8.count), key.utf8.allSatisfy(Self.isAllowed),
            (1...Self.maximumFingerprintLength).contains(fingerprint.utf8.count),
            fingerprint.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        self.key = key
        self.fingerprint = fingerprint
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "\""), UInt8(ascii: "\\"): false
        default: (0x21...0x7e).contains(byte)
        }
    }
}
