/// The SHA-256 of a whole key: all that is kept of it. Whoever reads it cannot sign in with it.
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
