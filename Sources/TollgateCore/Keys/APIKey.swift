/// A secret key as its owner holds it: `sk_live_<tag>_<secret><checksum>`, or `sk_test_…`.
///
/// The tag is the key's id and the owner's user id, so that a gateway knows the names of all of the owner's Redis keys
/// without asking. Both are written in base32, which hides them from a glance and does not protect them: a user id is no
/// secret. Nothing that the tag says counts until the hash of the whole text has been compared with the stored one.
/// Then all of it does, for the hash covers it.
///
/// The secret is 32 random bytes. The checksum is the CRC-32 of all before it: a mistyped key is found out without
/// asking Redis. It does not keep a client from inventing keys.
package struct APIKey: Sendable, Hashable {
    package static let secretByteCount = 32

    static let secretLength = Base32.length(ofBytes: secretByteCount)
    static let checksumLength = Base32.length(ofBytes: 4)
    static let separator = UInt8(ascii: "_")

    /// Of the shortest and the longest user id.
    private static let lengths = length(ofUserIDBytes: 1)...length(ofUserIDBytes: UserID.maximumLength)

    /// The longest key, in characters.
    package static let maximumLength = lengths.upperBound

    /// What may be wrong with a text that should be a key. The raw values are the `code` of the HTTP answer.
    package enum Problem: String, Error, Sendable, CaseIterable {
        /// It has another form: cut off, or with characters that keys do not have.
        case malformed = "key-malformed"
        /// It has the form of a key, and a character is wrong.
        case checksumMismatch = "key-checksum-mismatch"
    }

    /// The whole key. A secret.
    package let text: String

    package let id: KeyID

    /// Whose key it says it is. Not to be believed before the hash was compared.
    package let owner: UserID

    package let mode: KeyMode

    /// A new key.
    ///
    /// - Parameter secret: ``secretByteCount`` random bytes; nil comes back for any other number.
    package init?(id: KeyID, owner: UserID, mode: KeyMode, secret: [UInt8]) {
        guard secret.count == Self.secretByteCount else { return nil }
        var text = Array(mode.prefix.utf8)
        text += id.value.utf8.dropFirst(KeyID.prefix.utf8.count)
        text += Base32.encode(owner.value.utf8)
        text.append(Self.separator)
        text += Base32.encode(secret)
        text += Base32.encode(CRC32.check(of: text))
        self.text = String(decoding: text, as: UTF8.self)
        self.id = id
        self.owner = owner
        self.mode = mode
    }

    /// Reads a key that was presented. Computes no hash and does not ask the store.
    package init(_ text: String) throws(Problem) {
        guard Self.lengths.contains(text.utf8.count),
            let mode = KeyMode.allCases.first(where: { text.hasPrefix($0.prefix) })
        else { throw .malformed }
        let bytes = Array(text.utf8)
        let checksum = bytes.count - Self.checksumLength
        let secret = checksum - Self.secretLength
        let tag = bytes[KeyMode.prefixLength..<secret - 1]
        guard bytes[secret - 1] == Self.separator, Base32.decode(bytes[secret..<checksum]) != nil,
            let stated = Base32.decode(bytes[checksum...]), let owner = Base32.decode(tag.dropFirst(KeyID.digits)),
            let id = KeyID(digits: tag.prefix(KeyID.digits))
        else { throw .malformed }
        guard stated == CRC32.check(of: bytes[..<checksum]) else { throw .checksumMismatch }
        guard let owner = UserID(String(decoding: owner, as: UTF8.self)) else { throw .malformed }
        self.text = text
        self.id = id
        self.owner = owner
        self.mode = mode
    }

    private static func length(ofUserIDBytes count: Int) -> Int {
        KeyMode.prefixLength + KeyID.digits + Base32.length(ofBytes: count) + 1 + secretLength + checksumLength
    }
}

extension APIKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret: descriptions end up in logs.
    package var description: String { "\(mode.prefix)… (\(id))" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["id": id, "owner": owner, "mode": mode]) }
}
