package import NIOCore

/// Takes a body off the wire in any portions and gives it without its framing.
package struct BodyReader: Sendable {
    package enum Part: Sendable {
        case bytes(ByteBuffer)
        case end(trailers: FieldSection)
    }

    /// Longest line with a chunk's size and its extensions, which hardly any sender uses.
    private static let maximumChunkLine = 256

    /// Longest trailer section.
    private static let maximumTrailerBytes = 8 * 1024

    /// Most digits of a chunk's size.
    private static let maximumChunkDigits = 15

    private enum State {
        case length(remaining: Int)
        case untilClose
        case chunkLine
        case chunk(remaining: Int)
        case chunkEnd
        case trailers(HeadScanner)
        case ended
    }

    private var state: State

    package init(_ framing: BodyFraming) {
        state =
            switch framing {
            case .none: .length(remaining: 0)
            case .length(let count): .length(remaining: count)
            case .chunked: .chunkLine
            case .untilClose: .untilClose
            }
    }

    /// Whether the end was given.
    var hasEnded: Bool { if case .ended = state { true } else { false } }

    /// Whether nothing but the end is left to be given, without any further byte.
    package var isAtEnd: Bool {
        switch state {
        case .length(remaining: 0), .ended: true
        default: false
        }
    }

    /// The next part. Nil when more bytes are needed, and after the end.
    package mutating func next(from buffer: inout ByteBuffer) throws(MessageProblem) -> Part? {
        while true {
            switch state {
            case .length(let remaining): return nextOfLength(remaining, &buffer)
            case .untilClose: return buffer.readableBytes > 0 ? .bytes(buffer.takeAll()) : nil
            case .chunkLine:
                guard let (size, length) = try Self.chunkLine(buffer) else { return nil }
                buffer.moveReaderIndex(forwardBy: length)
                state =
                    size > 0
                    ? .chunk(remaining: size) : .trailers(HeadScanner(limitBytes: Self.maximumTrailerBytes))
            case .chunk(let remaining):
                guard let bytes = buffer.takePart(atMost: remaining) else { return nil }
                let rest = remaining - bytes.readableBytes
                state = rest > 0 ? .chunk(remaining: rest) : .chunkEnd
                return .bytes(bytes)
            case .chunkEnd:
                guard let end = buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) else {
                    if let byte = buffer.readableBytesUInt8Span.first, byte != .carriageReturn { throw .chunk }
                    return nil
                }
                guard end == 0x0D0A else { throw .chunk }
                buffer.moveReaderIndex(forwardBy: 2)
                state = .chunkLine
            case .trailers(let scanner):
                guard let trailers = try nextTrailers(scanner, &buffer) else { return nil }
                state = .ended
                return .end(trailers: trailers)
            case .ended: return nil
            }
        }
    }

    private mutating func nextOfLength(_ remaining: Int, _ buffer: inout ByteBuffer) -> Part? {
        if remaining == 0 {
            state = .ended
            return .end(trailers: .none)
        }
        guard let bytes = buffer.takePart(atMost: remaining) else { return nil }
        state = .length(remaining: remaining - bytes.readableBytes)
        return .bytes(bytes)
    }

    /// The connection was closed by the sender of the body.
    ///
    /// - Returns: Whether that is the body's proper end.
    package mutating func closed() -> Bool {
        guard case .untilClose = state else { return false }
        state = .ended
        return true
    }

    // MARK: Chunks (RFC 9112, section 7.1)

    /// The size that the line says, and the line's own length. Nil when more bytes are needed.
    private static func chunkLine(_ buffer: ByteBuffer) throws(MessageProblem) -> (size: Int, length: Int)? {
        let span = buffer.readableBytesUInt8Span
        var size = 0
        var index = 0
        while index < span.count, let digit = span[index].hexadecimalValue {
            guard index < maximumChunkDigits else { throw .chunk }
            size = size << 4 | Int(digit)
            index += 1
        }
        guard index < span.count else { return nil }
        guard index > 0, span[index] == .carriageReturn || span[index] == UInt8(ascii: ";") || span[index].isBlank
        else { throw .chunk }
        // Blanks may stand before an extension, or for want of one (RFC 9112, section 7.1.1); a word may not.
        while index < span.count, span[index].isBlank, index < maximumChunkLine { index += 1 }
        if index < span.count, span[index] != .carriageReturn, span[index] != UInt8(ascii: ";") { throw .chunk }
        // Extensions are skipped. Only CRLF ends the line: a CR or LF alone in one is refused.
        while index < span.count, span[index].isFieldValueByte, index < maximumChunkLine { index += 1 }
        guard index < maximumChunkLine else { throw .chunk }
        guard index + 1 < span.count else {
            if index < span.count, span[index] != .carriageReturn { throw .chunk }
            return nil
        }
        guard span[index] == .carriageReturn, span[index + 1] == .lineFeed else { throw .chunk }
        return (size, index + 2)
    }

    private mutating func nextTrailers(
        _ scanner: HeadScanner, _ buffer: inout ByteBuffer
    ) throws(MessageProblem) -> FieldSection? {
        // Without trailers, an empty line is all there is.
        if let first = buffer.getInteger(at: buffer.readerIndex, as: UInt16.self), first == 0x0D0A {
            buffer.moveReaderIndex(forwardBy: 2)
            return FieldSection.none
        }
        var scanner = scanner
        do throws(MessageProblem) {
            guard let end = try scanner.end(in: buffer) else {
                state = .trailers(scanner)
                return nil
            }
            guard let bytes = buffer.readSlice(length: end) else { throw .trailers }
            return try FieldSection(parsing: bytes, from: 0, maximumFields: FieldSection.maximumFields)
        } catch {
            throw .trailers
        }
    }
}

extension ByteBuffer {
    /// What there is, `count` bytes at most. Nil when there is nothing.
    fileprivate mutating func takePart(atMost count: Int) -> ByteBuffer? {
        guard readableBytes > 0 else { return nil }
        return readableBytes <= count ? takeAll() : readSlice(length: count)
    }

    fileprivate mutating func takeAll() -> ByteBuffer {
        let all = self
        self = ByteBuffer()
        return all
    }
}

extension Span<UInt8> {
    fileprivate var first: UInt8? { count > 0 ? self[0] : nil }
}

extension UInt8 {
    fileprivate var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
