/// The target of a request, checked: what is routed is what the upstream will understand.
///
/// A gateway decides by the path who may pass, and the upstream decides by its own reading of it what is served. Where
/// the two readings may differ, a request for `/free/..%2fpaid` gets through as free. So:
/// - `.` and `..` segments are refused, encoded or with path parameters too (`%2e%2e`, `..;x`): resolving them here
///   would serve something other than what was asked for, passing them on leaves the resolving to the upstream;
/// - an encoded slash or backslash is refused unless the route keeps it: some upstreams decode it before they split;
/// - a backslash, a control byte, a space and an encoded NUL are refused: no valid URI has them;
/// - everything else is passed on byte for byte, and matched on ``matchPath``, where `%61` and `a` are the same and
///   `//` counts as `/`.
package struct RequestTarget: Sendable, Hashable {
    /// What is wrong with a target.
    package enum Problem: Error, Sendable, Hashable {
        /// Neither origin-form nor absolute-form: authority-form, asterisk-form or nonsense.
        case form
        /// A byte that no URI has.
        case forbiddenByte
        case dotSegment
        case encodedSeparator
        /// `%` without two hexadecimal digits.
        case brokenEscape
        case tooLong
    }

    /// Longest target that is taken, in bytes.
    package static let maximumBytes = 16 * 1024

    /// The path as the client sent it, beginning with a slash.
    package let path: String

    /// For matching against routes: unreserved characters decoded (RFC 3986, section 6.2.2), slashes in a row
    /// counted as one.
    package let matchPath: String

    /// With its question mark; empty when there is none. Untouched.
    package let query: String

    /// Of an absolute-form target, which takes the place of `Host` (RFC 9112, section 3.2.2).
    package let authority: String?

    /// - Parameters:
    ///   - raw: The second word of the request line.
    ///   - keepsEncodedSlashes: Whether `%2F` and `%5C` may stand in a segment. They still count as separators where
    ///     dot segments are looked for.
    /// - Throws: ``Problem``.
    package init(_ raw: String, keepsEncodedSlashes: Bool = false) throws(Problem) {
        guard raw.utf8.count <= Self.maximumBytes else { throw .tooLong }
        let (authority, origin) = try Self.split(raw)
        self.authority = authority
        let pathEnd = origin.utf8.firstIndex(of: UInt8(ascii: "?")) ?? origin.endIndex
        query = String(origin[pathEnd...])
        guard query.utf8.allSatisfy(\.mayStandInTarget) else { throw .forbiddenByte }
        path = pathEnd == origin.startIndex ? "/" : String(origin[..<pathEnd])
        matchPath = Self.isPlain(path) ? path : try Self.canonical(path, keepsEncodedSlashes: keepsEncodedSlashes)
    }

    private static func split(_ raw: String) throws(Problem) -> (authority: String?, origin: Substring) {
        if raw.utf8.first == UInt8(ascii: "/") { return (nil, raw[...]) }
        let scheme =
            raw.utf8.beginsFolded("http://") ? "http://".count : raw.utf8.beginsFolded("https://") ? 8 : 0
        guard scheme > 0 else { throw .form }
        let rest = raw.utf8.dropFirst(scheme)
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        let authority = String(raw[rest.startIndex..<end])
        guard HostName.isValid(authority) else { throw .form }
        return (authority, raw[end...])
    }

    /// Whether there is nothing in `path` to be looked at twice. Nearly all paths are so.
    private static func isPlain(_ path: String) -> Bool {
        var previous: UInt8 = 0
        for byte in path.utf8 {
            if !byte.mayStandInTarget || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\\") { return false }
            if previous == UInt8(ascii: "/"), byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".") { return false }
            previous = byte
        }
        return true
    }

    private static func canonical(_ path: String, keepsEncodedSlashes: Bool) throws(Problem) -> String {
        var segments = DotSegments()
        var output: [UInt8] = []
        output.reserveCapacity(path.utf8.count)
        var rest = path.utf8[...]
        while let byte = rest.popFirst() {
            guard byte.mayStandInTarget, byte != UInt8(ascii: "\\") else { throw .forbiddenByte }
            guard byte == UInt8(ascii: "%") else {
                if byte == UInt8(ascii: "/"), output.last == byte { continue }
                output.append(byte)
                try segments.take(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard let high = digits.first?.hexadecimalValue, digits.count == 2,
                let low = digits.last?.hexadecimalValue
            else { throw .brokenEscape }
            rest = rest.dropFirst(2)
            let decoded = high << 4 | low
            guard decoded != 0 else { throw .forbiddenByte }
            if decoded == UInt8(ascii: "/") || decoded == UInt8(ascii: "\\") {
                guard keepsEncodedSlashes else { throw .encodedSeparator }
                try segments.take(UInt8(ascii: "/"))
            } else {
                try segments.take(decoded)
            }
            if decoded.isUnreserved { output.append(decoded) } else { output += [byte] + digits.map(\.uppercased) }
        }
        try segments.finish()
        return String(decoding: output, as: UTF8.self)
    }

    /// What the upstream is asked for.
    ///
    /// - Parameter prefix: Taken off the path, with or without a slash at its end; empty takes nothing. It must end
    ///   where a segment ends, otherwise the path stays whole.
    package func uri(strippingPrefix prefix: String = "") -> String {
        let bare = prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
        guard !bare.isEmpty else { return path + query }
        for candidate in [path, matchPath] where candidate.hasPrefix(bare) {
            let rest = candidate.dropFirst(bare.count)
            if rest.isEmpty { return "/" + query }
            if rest.first == "/" { return rest + query }
        }
        return path + query
    }
}

/// Looks for segments that are `.` or `..`, path parameters (`;…`) left out of account, as Java servers do.
private struct DotSegments {
    private var dots = 0
    private var isParameter = false
    private var isOrdinary = false

    mutating func take(_ byte: UInt8) throws(RequestTarget.Problem) {
        switch byte {
        case UInt8(ascii: "/"):
            try finish()
            self = DotSegments()
        case UInt8(ascii: ";"): isParameter = true
        case _ where isParameter: break
        case UInt8(ascii: "."): dots += 1
        default: isOrdinary = true
        }
    }

    func finish() throws(RequestTarget.Problem) {
        if !isOrdinary && (1...2).contains(dots) { throw .dotSegment }
    }
}

/// Whether a text can be the value of `Host`: a name or an address, perhaps with a port. No user, no path.
enum HostName {
    /// Longest that is taken, in bytes: a name of 253, brackets or a port.
    private static let maximumBytes = 262

    static func isValid(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= maximumBytes
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                    true
                default: false
                }
            }
    }
}

extension UInt8 {
    /// Visible ASCII but the number sign, or part of a UTF-8 sequence, which some clients send unescaped.
    fileprivate var mayStandInTarget: Bool {
        self > 0x20 && self != 0x7f && self != UInt8(ascii: "#")
    }

    fileprivate var isUnreserved: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    fileprivate var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    fileprivate var uppercased: UInt8 {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) ? self & 0xdf : self
    }
}
