/// What a request is for, in origin form: path and query (RFC 9112, section 3.2.1).
///
/// The gateway decides by the path, and an upstream or a proxy that reads it otherwise must not be led elsewhere. So
/// what is read differently in the wild is refused: `.` and `..` segments however they are written, empty segments,
/// backslashes, encoded slashes and control characters. What means the same by the standard is made the same before it
/// is compared: `%61` is `a`, `%e4` is `%E4` (RFC 3986, section 6.2.2).
package struct RequestTarget: Sendable, Hashable {
    /// As it was sent.
    package let text: String

    /// As it was sent, without the query.
    package let path: Substring

    /// Without the `?`. Nil when there is none.
    package let query: Substring?

    /// The path in its normal form: what routes are compared with.
    package let normalPath: String

    /// What is wrong with a target: a clause that follows "the path".
    package enum Problem: String, Error, Sendable, Hashable, CaseIterable {
        case noSlash = "does not begin with '/'"
        case badCharacter = "holds a blank, a control character or one outside of ASCII"
        case fragment = "holds a '#'"
        case backslash = "holds a backslash"
        case badEscape = "holds a '%' that two hexadecimal digits do not follow"
        case encodedSeparator = "holds an encoded slash, backslash or control character"
        case dotSegment = "holds a '.' or '..' segment"
        case emptySegment = "holds an empty segment"
    }

    /// - Parameter text: The target as it was sent. Nothing is allocated unless the path has escapes to normalize.
    /// - Throws: Why the target is refused.
    package init(_ text: String) throws(Problem) {
        var scan = PathScan()
        let end = try scan.run(over: text)
        self.text = text
        path = text[..<end]
        query = end == text.endIndex ? nil : text[text.utf8.index(after: end)...]
        if let query { try Self.check(query: query) }
        normalPath =
            query == nil && !scan.needsNormalizing ? text : scan.needsNormalizing ? Self.normal(path) : String(path)
    }

    /// The path and query that an upstream is asked for when `prefix` is left out of the front; the query stays.
    ///
    /// Given as sent, so escapes are as the client wrote them. The whole text when the path does not begin with the
    /// prefix as it is written.
    package func stripping(_ prefix: Substring) -> Substring {
        guard !prefix.isEmpty, text.utf8.starts(with: prefix.utf8) else { return text[...] }
        let rest = text.dropFirst(prefix.utf8.count)
        return rest.utf8.first == UInt8(ascii: "/") ? rest : "/" + rest
    }

    private static func check(query: Substring) throws(Problem) {
        for byte in query.utf8 {
            if byte == UInt8(ascii: "#") { throw .fragment }
            guard (0x21...0x7E).contains(byte) else { throw .badCharacter }
        }
    }

    /// Decodes escapes of unreserved characters and writes the others with capitals. The escapes are valid.
    private static func normal(_ path: Substring) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(path.utf8.count)
        var rest = path.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"), let high = rest.popFirst(), let low = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            let value = Escape.value(high, low) ?? 0
            if Escape.isUnreserved(value) {
                bytes.append(value)
            } else {
                bytes += [byte, Escape.capital(high), Escape.capital(low)]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One walk over a path.
private struct PathScan {
    private(set) var needsNormalizing = false
    private var segmentLength = 0
    private var segmentDots = 0

    /// What follows is a parameter of the segment. Servers that know those cut them off: `..;x` is `..` to them.
    private var isInParameter = false

    /// Where the path ends.
    mutating func run(over text: String) throws(RequestTarget.Problem) -> String.Index {
        guard text.utf8.first == UInt8(ascii: "/") else { throw .noSlash }
        var index = text.utf8.index(after: text.startIndex)
        let end = text.endIndex
        while index != end {
            let byte = text.utf8[index]
            if byte == UInt8(ascii: "?") { break }
            text.utf8.formIndex(after: &index)
            switch byte {
            case UInt8(ascii: "/"):
                if segmentLength == 0 { throw .emptySegment }
                try endSegment()
            case UInt8(ascii: "%"):
                guard let (high, low) = Self.takeDigits(of: text, at: &index), let value = Escape.value(high, low)
                else { throw .badEscape }
                try takeEscaped(value, isCapital: Escape.capital(high) == high && Escape.capital(low) == low)
            case UInt8(ascii: "\\"): throw .backslash
            case UInt8(ascii: "#"): throw .fragment
            case 0x21...0x7E: try take(byte)
            default: throw .badCharacter
            }
        }
        try endSegment()
        return index
    }

    private mutating func take(_ byte: UInt8) throws(RequestTarget.Problem) {
        if byte == UInt8(ascii: ";"), !isInParameter {
            try checkDots()
            isInParameter = true
        }
        segmentLength += 1
        if byte == UInt8(ascii: ".") { segmentDots += 1 }
    }

    private mutating func takeEscaped(_ value: UInt8, isCapital: Bool) throws(RequestTarget.Problem) {
        if value < 0x20 || value == 0x7F || value == UInt8(ascii: "/") || value == UInt8(ascii: "\\") {
            throw .encodedSeparator
        }
        let isUnreserved = Escape.isUnreserved(value)
        if isUnreserved || !isCapital { needsNormalizing = true }
        try take(isUnreserved ? value : UInt8(ascii: "%"))
    }

    private mutating func endSegment() throws(RequestTarget.Problem) {
        if !isInParameter { try checkDots() }
        (segmentLength, segmentDots, isInParameter) = (0, 0, false)
    }

    private func checkDots() throws(RequestTarget.Problem) {
        if segmentLength == segmentDots, (1...2).contains(segmentDots) { throw .dotSegment }
    }

    private static func takeDigits(of text: String, at index: inout String.Index) -> (UInt8, UInt8)? {
        guard index != text.endIndex else { return nil }
        let high = text.utf8[index]
        text.utf8.formIndex(after: &index)
        guard index != text.endIndex else { return nil }
        let low = text.utf8[index]
        text.utf8.formIndex(after: &index)
        return (high, low)
    }
}

/// Percent-encoding (RFC 3986, section 2.1).
private enum Escape {
    static func value(_ high: UInt8, _ low: UInt8) -> UInt8? {
        guard let high = digit(high), let low = digit(low) else { return nil }
        return high << 4 | low
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// A hexadecimal digit as a capital.
    static func capital(_ digit: UInt8) -> UInt8 { digit >= UInt8(ascii: "a") ? digit & 0xDF : digit }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
