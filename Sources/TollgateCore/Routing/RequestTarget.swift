/// What a request is for, in origin form: path and query (RFC 9112, section 3.2.1).
///
/// The gateway decides by the path, and an upstream or a proxy that reads it otherwise must not be led elsewhere. So
/// what is read differently in the wild is refused: `.` and `..` segments however they are written, empty segments,
/// backslashes, encoded slashes and control characters. What means the same by the standard is made the same before it
/// is compared: `%61` is `a`, `%e4` is `%E4` (RFC 3986, section 6.2.2). A segment is compared without its parameters, as
/// servlet containers do it: `/orders;v=1/7` is `/orders/7`, and `%3B` begins a parameter as `;` does.
///
/// Encoded slashes and empty segments behind the first one are what some upstreams need. A target with them is
/// odd, and ``RouteTable/match(host:target:method:)`` says whether it may pass.
package struct RequestTarget: Sendable, Hashable {
    /// As it was sent.
    package let text: String

    /// As it was sent, without the query.
    package let path: Substring

    /// Without the `?`. Nil when there is none.
    package let query: Substring?

    /// The path in its normal form: what routes are compared with. Of an odd target one of its ``readings``.
    package let normalPath: String

    /// The path has a `%2F`.
    let hasEncodedSlash: Bool

    /// The path has `//`, or what becomes that when its `%2F` are decoded.
    let hasDoubleSlash: Bool

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
        /// Some servers read the path as one that the route does not have.
        case ambiguous = "reads as another route's, or as none's, where %2F is a slash or empty segments are left out"
    }

    /// A target that is not odd.
    ///
    /// - Throws: Why the target is refused.
    package init(_ text: String) throws(Problem) {
        try self.init(tolerant: text)
        if let oddity { throw oddity }
    }

    /// A target that may be odd.
    ///
    /// - Parameter text: The target as it was sent. Nothing is allocated unless the path has something to normalize.
    /// - Throws: Why the target is refused.
    package init(tolerant text: String) throws(Problem) {
        var scan = PathScan()
        let end = try scan.run(over: text)
        self.text = text
        hasEncodedSlash = scan.hasEncodedSlash
        hasDoubleSlash = scan.hasDoubleSlash
        path = text[..<end]
        query = end == text.endIndex ? nil : text[text.utf8.index(after: end)...]
        if let query { try Self.check(query: query) }
        normalPath =
            query == nil && !scan.needsNormalizing ? text : scan.needsNormalizing ? Self.normal(path) : String(path)
    }

    /// Why the target is refused where no route takes it. Nil when it is not odd.
    package var oddity: Problem? { hasDoubleSlash ? .emptySegment : hasEncodedSlash ? .encodedSeparator : nil }

    /// The paths that servers take the path for, in their normal form: with `%2F` as it is and decoded, with empty
    /// segments and without them. Of a target that is not odd only ``normalPath``.
    package var readings: [String] {
        var readings = [normalPath]
        if hasEncodedSlash { readings.append(Self.normal(path, decodingSlashes: true)) }
        if hasDoubleSlash { readings.append(Self.normal(path, mergingSlashes: true)) }
        if hasEncodedSlash, hasDoubleSlash {
            readings.append(Self.normal(path, decodingSlashes: true, mergingSlashes: true))
        }
        return readings
    }

    /// The path and query that an upstream is asked for when `prefix` is left out of the front; the query stays.
    ///
    /// Given as sent, so escapes are as the client wrote them. As many segments are left out as the prefix has, which
    /// the client may have written with escapes or parameters.
    ///
    /// - Parameter prefix: One that ``normalPath`` has.
    package func stripping(_ prefix: Substring) -> Substring {
        let segments = prefix.utf8.count { $0 == UInt8(ascii: "/") }
        let slashes = path.utf8.indices.lazy.filter { path.utf8[$0] == UInt8(ascii: "/") }
        let rest = text[(slashes.dropFirst(segments).first ?? path.endIndex)...]
        return rest.utf8.first == UInt8(ascii: "/") ? rest : "/" + rest
    }

    private static func check(query: Substring) throws(Problem) {
        for byte in query.utf8 {
            if byte == UInt8(ascii: "#") { throw .fragment }
            guard (0x21...0x7E).contains(byte) else { throw .badCharacter }
        }
    }

    /// Decodes escapes of unreserved characters, writes the others with capitals and leaves out parameters. The escapes
    /// are valid.
    private static func normal(
        _ path: Substring, decodingSlashes: Bool = false, mergingSlashes: Bool = false
    ) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(path.utf8.count)
        var isInParameter = false
        var rest = path.utf8[...]
        while var byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let high = rest.popFirst(), let low = rest.popFirst() {
                let value = Escape.value(high, low) ?? 0
                guard
                    Escape.isUnreserved(value) || value == UInt8(ascii: ";")
                        || decodingSlashes && value == UInt8(ascii: "/")
                else {
                    if !isInParameter { bytes += [byte, Escape.capital(high), Escape.capital(low)] }
                    continue
                }
                byte = value
            }
            switch byte {
            case UInt8(ascii: "/"):
                isInParameter = false
                if !mergingSlashes || bytes.last != byte { bytes.append(byte) }
            case UInt8(ascii: ";"): isInParameter = true
            default: if !isInParameter { bytes.append(byte) }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One walk over a path.
private struct PathScan {
    private(set) var needsNormalizing = false
    private(set) var hasEncodedSlash = false
    private(set) var hasDoubleSlash = false

    /// Nothing but the first slash came yet.
    private var isAtStart = true
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
            case UInt8(ascii: "/"): try takeSlash()
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

    /// An empty segment at the start would make a host of the next one: `//other.example`.
    private mutating func takeSlash() throws(RequestTarget.Problem) {
        if segmentLength == 0 {
            if isAtStart { throw .emptySegment }
            hasDoubleSlash = true
        }
        try endSegment()
    }

    private mutating func take(_ byte: UInt8) throws(RequestTarget.Problem) {
        if byte == UInt8(ascii: ";"), !isInParameter {
            // Without its parameters nothing is left of the segment.
            if segmentLength == 0 { throw .emptySegment }
            try checkDots()
            (isInParameter, needsNormalizing) = (true, true)
        }
        isAtStart = false
        segmentLength += 1
        if byte == UInt8(ascii: ".") { segmentDots += 1 }
    }

    private mutating func takeEscaped(_ value: UInt8, isCapital: Bool) throws(RequestTarget.Problem) {
        if value == UInt8(ascii: "/") {
            // Some decode before they cut parameters off, and some after it.
            if isInParameter { throw .encodedSeparator }
            hasEncodedSlash = true
            if !isCapital { needsNormalizing = true }
            return try takeSlash()
        }
        if value < 0x20 || value == 0x7F || value == UInt8(ascii: "\\") { throw .encodedSeparator }
        if value == UInt8(ascii: ";") { return try take(value) }
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
