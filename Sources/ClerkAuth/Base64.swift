/// Strict base64 (RFC 4648) without padding. What a lenient decoder would accept in two spellings is refused here, so
/// that a token has one spelling only.
package enum Base64 {
    /// The two spellings of the last two digits.
    package enum Alphabet {
        /// `+` and `/`, as in PEM and publishable keys.
        case standard

        /// `-` and `_`, as in JWT.
        case url
    }

    /// The bytes that `text` stands for. Nil when a character is foreign, when the length is impossible, or when bits
    /// that belong to no byte are not zero.
    package static func decode(_ text: some Collection<UInt8>, alphabet: Alphabet) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var (bits, bitCount): (UInt32, UInt32) = (0, 0)
        for character in text {
            guard let value = value(of: character, in: alphabet) else { return nil }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
                bits &= 1 << bitCount - 1
            }
        }
        return bits == 0 ? bytes : nil
    }

    private static func value(of character: UInt8, in alphabet: Alphabet) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+") where alphabet == .standard, UInt8(ascii: "-") where alphabet == .url: 62
        case UInt8(ascii: "/") where alphabet == .standard, UInt8(ascii: "_") where alphabet == .url: 63
        default: nil
        }
    }
}
