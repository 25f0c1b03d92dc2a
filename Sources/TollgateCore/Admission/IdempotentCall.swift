/// A call that its sender may send again without having it carried out twice for one price: the header field
/// `Idempotency-Key` (IETF httpapi, draft-ietf-httpapi-idempotency-key-header).
///
/// There is one attempt at a time. While it is in progress a repeat is refused. When it failed, or when its lease ran
/// out before it was answered, a repeat is carried out and costs nothing more. When it has finished and its
/// ``StoredAnswer`` was kept, a repeat gets that answer again, without cost; without one it is an ordinary call. A
/// repeat that is not refused takes its place in the minute.
package struct IdempotentCall: Sendable, Hashable {
    /// How long a call is remembered after its last attempt has begun.
    package static let keptSeconds: Int64 = 86_400

    /// Calls that are remembered of one user. Beyond them the oldest are forgotten, and a repeat of one is an ordinary
    /// call.
    package static let maximumCount = 1000

    /// The longest body of which a digest is part of the fingerprint. A request with a longer one is an ordinary call.
    package static let maximumBodyBytes = 64 * 1024

    package static let maximumKeyLength = 255
    static let maximumFingerprintLength = 128

    package let key: String

    /// What tells one request from another, such as a digest of method, target and body: the same key with another
    /// fingerprint is a mistake of the sender, and refused.
    package let fingerprint: String

    /// Fails when the key is not valid (``key(in:)``), or the fingerprint is empty, too long, or not visible ASCII.
    package init?(key: String, fingerprint: String) {
        guard let key = Self.key(in: key), (1...Self.maximumFingerprintLength).contains(fingerprint.utf8.count),
            fingerprint.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        self.key = key
        self.fingerprint = fingerprint
    }

    /// The key that a field's value gives; the quotes of a structured field's string are taken off. Nil when it is
    /// empty, longer than ``maximumKeyLength``, or holds anything but visible ASCII without braces, quotes and
    /// backslashes: it becomes part of a name in Redis, where it stands in braces.
    package static func key(in value: String) -> String? {
        let isQuoted = value.utf8.count > 2 && value.hasPrefix("\"") && value.hasSuffix("\"")
        let key = isQuoted ? String(value.dropFirst().dropLast()) : value
        guard (1...maximumKeyLength).contains(key.utf8.count), key.utf8.allSatisfy(isAllowed) else { return nil }
        return key
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "\""), UInt8(ascii: "\\"): false
        default: (0x21...0x7e).contains(byte)
        }
    }
}

/// The answer of an ``IdempotentCall`` that has finished, kept for as long as the call is remembered: a repeat gets it
/// again.
package struct StoredAnswer: Sendable, Hashable {
    package static let maximumHeadBytes = 16 * 1024
    package static let maximumBodyBytes = 64 * 1024

    /// Answers that are kept of one user, and their bytes together. Beyond them the oldest are forgotten.
    package static let maximumCount = 100
    package static let maximumTotalBytes = 1024 * 1024

    package let status: Int

    /// Its first line and the fields that are the same for every repeat, as they travel.
    package let head: [UInt8]
    package let body: [UInt8]

    /// Fails when the head or the body is too long.
    package init?(status: Int, head: [UInt8], body: [UInt8]) {
        guard head.count <= Self.maximumHeadBytes, body.count <= Self.maximumBodyBytes else { return nil }
        self.status = status
        self.head = head
        self.body = body
    }
}
