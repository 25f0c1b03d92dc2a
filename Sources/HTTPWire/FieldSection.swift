package import NIOCore

/// One field line, as places in the bytes of its section.
package struct FieldLine: Sendable, Hashable {
    package let kind: FieldKind
    let start: Int32
    let nameEnd: Int32
    let valueStart: Int32
    let valueEnd: Int32

    /// Behind the line's CRLF.
    let end: Int32

    var name: Range<Int> { Int(start)..<Int(nameEnd) }
    var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }

    /// Where the line stands in the bytes of its section, with its CRLF.
    package var whole: Range<Int> { Int(start)..<Int(end) }
}

/// The fields of a message, left where they came in: nothing is copied until it is needed.
package struct FieldSection: Sendable {
    /// What the lines' places count in, from the reader index on.
    package let bytes: ByteBuffer
    package let lines: [FieldLine]

    package var isEmpty: Bool { lines.isEmpty }

    package static let none = FieldSection(bytes: ByteBuffer(), lines: [])

    package func name(of line: FieldLine) -> String { text(line.name) }
    package func value(of line: FieldLine) -> String { text(line.value) }

    /// The values of all fields of one kind, in their order.
    package func values(_ kind: FieldKind) -> [String] {
        guard contains(kind) else { return [] }
        return lines.lazy.filter { $0.kind == kind }.map { value(of: $0) }
    }

    /// The value of the first field of one kind.
    package func first(_ kind: FieldKind) -> String? { firstLine(kind).map { value(of: $0) } }

    package func contains(_ kind: FieldKind) -> Bool { firstLine(kind) != nil }

    /// The value of the first field called `lowercase`, not minding case.
    package func first(named lowercase: String) -> String? {
        let span = bytes.readableBytesUInt8Span
        for line in lines where span.matches(line.name, lowercase) { return value(of: line) }
        return nil
    }

    /// Whether the value of `line` is `lowercase`, not minding case.
    package func value(of line: FieldLine, is lowercase: String) -> Bool {
        bytes.readableBytesUInt8Span.matches(line.value, lowercase)
    }

    /// Whether `byte` stands in the value of `line`.
    package func value(of line: FieldLine, contains byte: UInt8) -> Bool {
        bytes.readableBytesUInt8Span.extracting(line.value).place(of: byte, from: 0) < line.value.count
    }

    /// Whether the value of `line` begins with `lowercase`, not minding case.
    package func value(of line: FieldLine, begins lowercase: String) -> Bool {
        bytes.readableBytesUInt8Span.begins(line.value, with: lowercase)
    }

    /// Whether the name of `line` is `lowercase`, not minding case.
    package func name(of line: FieldLine, is lowercase: String) -> Bool {
        bytes.readableBytesUInt8Span.matches(line.name, lowercase)
    }

    /// Whether the name of `line` is one that some read as `lowercase`, which has hyphens for separators. For leaving
    /// fields out, never for believing them.
    package func name(of line: FieldLine, folds lowercase: String) -> Bool {
        bytes.readableBytesUInt8Span.foldsName(line.name, to: lowercase)
    }

    /// The members of all fields of one kind, as of a comma-separated list (RFC 9110, section 5.6.1), in lower case.
    package func members(_ kind: FieldKind) -> [String] {
        values(kind).flatMap(Self.members)
    }

    /// The names of fields that `Connection` declares to be of this hop, in lower case; `close` and `keep-alive` left
    /// out. Without allocation for a message that says nothing else.
    package var connectionOptions: [String] {
        var options: [String] = []
        for line in lines where line.kind == .connection {
            if value(of: line, is: "keep-alive") || value(of: line, is: "close") { continue }
            options += Self.members(value(of: line)).filter { $0 != "keep-alive" && $0 != "close" }
        }
        return options
    }

    /// Whether `Connection` lists `option`, which is in lower case.
    package func connectionLists(_ option: String) -> Bool {
        for line in lines where line.kind == .connection {
            if value(of: line, is: option) { return true }
            // What nearly every message says needs no list to be made of it.
            if value(of: line, is: "keep-alive") || value(of: line, is: "close") { continue }
            if Self.members(value(of: line)).contains(option) { return true }
        }
        return false
    }

    private func firstLine(_ kind: FieldKind) -> FieldLine? {
        for line in lines where line.kind == kind { return line }
        return nil
    }

    private func text(_ range: Range<Int>) -> String {
        bytes.getString(at: bytes.readerIndex + range.lowerBound, length: range.count) ?? ""
    }

    /// The members of a comma-separated list, trimmed and in lower case, empty ones left out.
    package static func members(_ value: String) -> [String] {
        value.split(separator: ",").compactMap { member in
            let trimmed = member.drop { $0 == " " || $0 == "\t" }
            guard let last = trimmed.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return nil }
            return trimmed[...last].lowercased()
        }
    }
}

extension FieldSection {
    /// Most fields of one message.
    package static let maximumFields = 100

    /// Reads field lines up to the empty line that ends them.
    ///
    /// - Parameters:
    ///   - bytes: Holds the whole section, and before it what the places count from.
    ///   - start: Where the first line begins.
    init(parsing bytes: ByteBuffer, from start: Int, maximumFields: Int) throws(MessageProblem) {
        let span = bytes.readableBytesUInt8Span
        var lines: [FieldLine] = []
        lines.reserveCapacity(16)
        var index = start
        while index + 1 < span.count, span[index] != .carriageReturn {
            guard lines.count < maximumFields else { throw .tooManyFields }
            let line = try Self.line(span, at: index)
            lines.append(line)
            index = Int(line.end)
        }
        // A carriage return at the beginning of a line ends nothing: what follows would be lost unseen.
        guard index + 2 == span.count else { throw .fieldName }
        self.init(bytes: bytes, lines: lines)
    }

    /// The same for an answer, where blanks between a name and its colon are taken out: a request with such is refused,
    /// an answer repaired (RFC 9112, section 5.1).
    static func ofAnswer(
        _ bytes: ByteBuffer, from start: Int, maximumFields: Int
    ) throws(MessageProblem) -> FieldSection {
        do throws(MessageProblem) {
            return try FieldSection(parsing: bytes, from: start, maximumFields: maximumFields)
        } catch {
            guard error == .fieldName else { throw error }
            let repaired = bytes.withoutBlanksBeforeColons(from: start)
            return try FieldSection(parsing: repaired, from: start, maximumFields: maximumFields)
        }
    }

    private static func line(_ bytes: Span<UInt8>, at start: Int) throws(MessageProblem) -> FieldLine {
        if bytes[start].isBlank { throw .foldedField }
        var index = start
        var isPlain = true
        while bytes[index] != UInt8(ascii: ":") {
            if !bytes[index].isPlainNameByte {
                guard bytes[index].isTokenByte else { throw .fieldName }
                isPlain = false
            }
            index += 1
        }
        let nameEnd = index
        guard nameEnd > start else { throw .fieldName }
        index += 1
        while bytes[index].isBlank { index += 1 }
        let valueStart = index
        index = bytes.endOfFieldValue(from: index)
        guard bytes[index] == .carriageReturn, bytes[index + 1] == .lineFeed else { throw .fieldValue }
        var valueEnd = index
        while valueEnd > valueStart, bytes[valueEnd - 1].isBlank { valueEnd -= 1 }
        return FieldLine(
            kind: FieldKind(bytes, start..<nameEnd, isPlain: isPlain), start: Int32(start), nameEnd: Int32(nameEnd),
            valueStart: Int32(valueStart), valueEnd: Int32(valueEnd), end: Int32(index + 2))
    }
}

extension ByteBuffer {
    /// A copy in which a colon follows each field's name at once.
    fileprivate func withoutBlanksBeforeColons(from start: Int) -> ByteBuffer {
        let span = readableBytesUInt8Span
        var copy = ByteBuffer()
        copy.reserveCapacity(span.count)
        var (written, index) = (0, start)
        while index < span.count {
            let lineStart = index
            while index < span.count, span[index].isTokenByte { index += 1 }
            let nameEnd = index
            while index < span.count, span[index].isBlank { index += 1 }
            if nameEnd > lineStart, index > nameEnd, index < span.count, span[index] == UInt8(ascii: ":") {
                copy.write(self, written..<nameEnd)
                written = index
            }
            while index < span.count, span[index] != .lineFeed { index += 1 }
            index += 1
        }
        copy.write(self, written..<span.count)
        return copy
    }
}
