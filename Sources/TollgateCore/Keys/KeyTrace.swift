/// A key, or what begins like one, in the middle of other text: so that none reaches an upstream or a log.
package struct KeyTrace: Sendable, Hashable {
    /// From the prefix to the last character that a key may have.
    package let range: Range<Int>

    /// It has the form of a whole key of this gateway's making. Other services' keys begin like ours.
    package let isWhole: Bool

    private static let prefixes = (KeyMode.allCases.map(\.prefix) + [Credentials.keyPrefix]).map { Array($0.utf8) }

    /// How far into every prefix its first underscore stands: the byte to look for.
    package static let underscore = UInt8(ascii: "_")
    private static let underscoreOffset = 2

    /// - Parameter place: Of an underscore in `text`. Fails when it is not the first one of a key's prefix.
    package init?(in text: Span<UInt8>, underscoreAt place: Int) {
        let start = place - Self.underscoreOffset
        guard start >= 0, start < text.count, let prefix = Self.prefixes.first(where: { text.has($0, at: start) })
        else {
            return nil
        }
        var end = start + prefix.count
        while end < text.count, text[end].mayStandInKey { end += 1 }
        range = start..<end
        let rest = start + prefix.count..<end
        isWhole = prefix[0] == UInt8(ascii: "p") ? Self.isPlatformKey(text, rest) : APIKey.hasForm(text, rest)
    }

    private static func isPlatformKey(_ text: Span<UInt8>, _ rest: Range<Int>) -> Bool {
        guard rest.count >= Credentials.keyDigits else { return false }
        for index in rest.prefix(Credentials.keyDigits) where !text[index].isLowercaseHexadecimalDigit { return false }
        return true
    }

    /// `text` with another in place of each whole key.
    package static func replacingKeys(in text: String, with replacement: String) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var written = 0
        for place in bytes.indices where bytes[place] == underscore {
            guard let trace = KeyTrace(in: bytes.span, underscoreAt: place), trace.isWhole else { continue }
            result += bytes[written..<trace.range.lowerBound] + Array(replacement.utf8)
            written = trace.range.upperBound
        }
        return written == 0 ? text : String(decoding: result + bytes[written...], as: UTF8.self)
    }

    /// Whether anything in `text` begins like a key.
    package static func isIn(_ text: [UInt8]) -> Bool {
        text.indices.contains { text[$0] == underscore && KeyTrace(in: text.span, underscoreAt: $0) != nil }
    }
}

extension APIKey {
    /// Whether what follows a key's prefix has the form of a secret key: a tag, and behind the separator at least as
    /// much as secret and checksum are. The checksum is not computed: of a mistyped key all but a character is secret.
    static func hasForm(_ text: Span<UInt8>, _ rest: Range<Int>) -> Bool {
        var tagEnd = rest.lowerBound
        while tagEnd < rest.upperBound, text[tagEnd] != separator { tagEnd += 1 }
        let isTag = tagEnd - rest.lowerBound >= KeyID.digits + Base32.length(ofBytes: 1)
        return isTag && rest.upperBound - tagEnd > secretLength + checksumLength
    }
}

extension Span<UInt8> {
    fileprivate func has(_ bytes: [UInt8], at start: Int) -> Bool {
        guard start + bytes.count <= count else { return false }
        for (offset, byte) in bytes.enumerated() where self[start + offset] != byte { return false }
        return true
    }
}

extension UInt8 {
    fileprivate var mayStandInKey: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
