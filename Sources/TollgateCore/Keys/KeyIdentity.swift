/// The name of a secret key: `key_` and 16 characters. It stays when the key is rotated. No secret.
package struct KeyID: Sendable, Hashable, CustomStringConvertible {
    package static let prefix = "key_"

    /// Random bytes that a name is made of: too many for two of one user's keys ever to meet.
    package static let byteCount = 10

    /// Characters after the prefix.
    static let digits = 16

    package let value: String

    /// - Parameter bytes: ``byteCount`` random bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        value = Self.prefix + String(decoding: Base32.encode(bytes), as: UTF8.self)
    }

    /// Fails when `value` has another form.
    package init?(_ value: String) {
        guard value.hasPrefix(Self.prefix) else { return nil }
        self.init(digits: value.utf8.dropFirst(Self.prefix.utf8.count))
    }

    /// - Parameter digits: What follows the prefix.
    init?(digits: some Collection<UInt8>) {
        guard digits.count == Self.digits, Base32.decode(digits) != nil else { return nil }
        value = Self.prefix + String(decoding: digits, as: UTF8.self)
    }

    package var description: String { value }
}

/// The SHA-256 of a whole key: all that is kept of it. It cannot be presented as a credential.
package struct KeyHash: Sendable, Hashable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    package let hex: String

    /// Fails when `hex` has another form.
    package init?(hex: String) {
        guard hex.utf8.count == 64, hex.utf8.allSatisfy(\.isLowercaseHexadecimalDigit) else { return nil }
        self.hex = hex
    }

    package var description: String { hex }
}

extension UInt8 {
    var isLowercaseHexadecimalDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        default: false
        }
    }
}
