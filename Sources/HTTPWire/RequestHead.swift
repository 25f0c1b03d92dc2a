package import NIOCore

/// The head of a request, checked to have one meaning only.
///
/// A class, so that all that handle a request share it instead of copying its parts.
package final class RequestHead: Sendable {
    /// A token, as it was sent: methods are case-sensitive.
    package let method: String

    /// The second word of the request line. Not yet looked at.
    package let target: String

    /// Every other minor version is treated as HTTP/1.1 (RFC 9110, section 2.5).
    package let isHTTP10: Bool
    package let fields: FieldSection
    package let framing: BodyFraming

    /// Whether the client wants to send another request on the same connection.
    package let isKeptAlive: Bool

    /// `Expect: 100-continue`: the client waits before it sends the body.
    package let expectsContinue: Bool

    /// - Parameter bytes: The whole head, as ``HeadScanner`` has found it.
    package init(
        parsing bytes: ByteBuffer, maximumFields: Int = FieldSection.maximumFields
    ) throws(MessageProblem) {
        let line = try RequestLine(bytes)
        fields = try FieldSection(parsing: bytes, from: line.end, maximumFields: maximumFields)
        method = line.method
        target = line.target
        isHTTP10 = line.isHTTP10
        framing = try BodyFraming.stated(fields, isHTTP10: isHTTP10) ?? .none
        isKeptAlive = isHTTP10 ? fields.connectionLists("keep-alive") : !fields.connectionLists("close")
        expectsContinue = !isHTTP10 && (fields.first(.expect)?.lowercased() == "100-continue")
    }

    /// The one value of `Host`, if it looks like a host and perhaps a port. Nil for an HTTP/1.0 request without one.
    package func host() throws(MessageProblem) -> String? {
        var host: String?
        for line in fields.lines where line.kind == .host {
            guard host == nil else { throw .host }
            host = fields.value(of: line)
        }
        guard let host else {
            guard isHTTP10 else { throw .host }
            return nil
        }
        guard HostName.isValid(host) else { throw .host }
        return host
    }
}

/// `method SP request-target SP HTTP-version CRLF` (RFC 9112, section 3).
private struct RequestLine {
    let method: String
    let target: String
    let isHTTP10: Bool

    /// Where the fields begin.
    let end: Int

    init(_ bytes: ByteBuffer) throws(MessageProblem) {
        let span = bytes.readableBytesUInt8Span
        let start = Self.lineStart(span)
        var index = start
        while span[index].isTokenByte { index += 1 }
        let methodEnd = index
        guard methodEnd > start, span[index] == 0x20 else { throw .startLine }
        index += 1
        let targetStart = index
        while span[index] > 0x20, span[index] != 0x7F { index += 1 }
        let targetEnd = index
        guard targetEnd > targetStart, span[index] == 0x20 else { throw .startLine }
        isHTTP10 = try Self.isHTTP10(span, at: index + 1, lineStart: start)
        end = index + 1 + Self.versionLength + 2
        method = bytes.getString(at: bytes.readerIndex + start, length: methodEnd - start) ?? ""
        target = bytes.getString(at: bytes.readerIndex + targetStart, length: targetEnd - targetStart) ?? ""
    }

    /// One empty line before a request is forgiven (RFC 9112, section 2.2).
    private static func lineStart(_ bytes: Span<UInt8>) -> Int {
        bytes.count > 2 && bytes[0] == .carriageReturn && bytes[1] == .lineFeed ? 2 : 0
    }

    private static let versionLength = "HTTP/1.1".utf8.count

    /// Reads the version, which stands at `start`.
    private static func isHTTP10(
        _ bytes: Span<UInt8>, at start: Int, lineStart: Int
    ) throws(MessageProblem) -> Bool {
        guard bytes.count >= start + versionLength + 2, bytes.isText("HTTP/", at: start) else { throw .startLine }
        let (major, minor) = (bytes[start + 5], bytes[start + 7])
        let isLineEnd =
            bytes[start + versionLength] == .carriageReturn
            && bytes[start + versionLength + 1] == .lineFeed
        guard major.isDigit, bytes[start + 6] == UInt8(ascii: "."), minor.isDigit, isLineEnd else { throw .version }
        guard major == UInt8(ascii: "1") else {
            throw bytes.isText("PRI * ", at: lineStart) ? .http2Preface : .majorVersion
        }
        return minor == UInt8(ascii: "0")
    }
}

extension Span<UInt8> {
    /// Whether `text` stands at `start`.
    func isText(_ text: String, at start: Int) -> Bool {
        guard start + text.utf8.count <= count else { return false }
        var index = start
        for byte in text.utf8 {
            guard self[index] == byte else { return false }
            index += 1
        }
        return true
    }
}

/// Whether a text can be the value of `Host`: a name or an address, perhaps with a port. No user, no path.
package enum HostName {
    /// Longest that is taken, in bytes: a name of 253, brackets or a port.
    private static let maximumBytes = 262

    package static func isValid(_ text: String) -> Bool {
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

extension RequestHead {
    /// Bytes of the whole head.
    package var byteCount: Int { fields.bytes.readableBytes }

    /// The same head with `text` in some places of its bytes.
    ///
    /// - Parameter places: From first to last.
    package func replacing(_ places: [Range<Int>], with text: String) throws(MessageProblem) -> RequestHead {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(byteCount)
        var written = 0
        for place in places where place.lowerBound >= written && place.upperBound <= byteCount {
            bytes.write(fields.bytes, written..<place.lowerBound)
            bytes.writeString(text)
            written = place.upperBound
        }
        bytes.write(fields.bytes, written..<byteCount)
        return try RequestHead(parsing: bytes)
    }
}

extension ByteBuffer {
    /// Calls `body` with each place of `byte`, counted from the reader index. Eight bytes at a look, since mostly there
    /// are few.
    package func forEachPlace(of byte: UInt8, _ body: (Int) -> Void) {
        let lows: UInt64 = 0x0101_0101_0101_0101
        let pattern = lows &* UInt64(byte)
        var start = 0
        while start < readableBytes {
            if let word = getInteger(at: readerIndex + start, as: UInt64.self) {
                // A byte becomes zero where it is the one that is looked for; then a borrow sets its highest bit.
                let rest = word ^ pattern
                let mayHold = (rest &- lows) & ~rest & (lows << 7) != 0
                guard mayHold else {
                    start += 8
                    continue
                }
            }
            for place in start..<min(start + 8, readableBytes)
            where getInteger(at: readerIndex + place, as: UInt8.self) == byte { body(place) }
            start += 8
        }
    }
}

/// Finds the end of a head in bytes that come in any portions, each of which is looked at once.
package struct HeadScanner: Sendable {
    private let limitBytes: Int
    private var scanned = 0
    private var lineStart = 0

    package init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// The length of the head with the empty line that ends it. Nil when more bytes are needed.
    ///
    /// - Parameter bytes: All that has come since the head began.
    package mutating func end(in bytes: ByteBuffer) throws(MessageProblem) -> Int? {
        let span = bytes.readableBytesUInt8Span
        // Another protocol, such as TLS, may never come to a line's end.
        if scanned == 0, span.count > 0, !span[0].isTokenByte, span[0] != .carriageReturn { throw .startLine }
        var index = scanned
        while true {
            index = span.place(of: .lineFeed, from: index)
            guard index < span.count else { break }
            guard index > lineStart, span[index - 1] == .carriageReturn else { throw .bareLineFeed }
            if index == lineStart + 1, index > 1 {
                guard index < limitBytes else { throw .headTooLarge }
                self = HeadScanner(limitBytes: limitBytes)
                return index + 1
            }
            lineStart = index + 1
            index += 1
        }
        guard index < limitBytes else { throw .headTooLarge }
        scanned = index
        return nil
    }
}
