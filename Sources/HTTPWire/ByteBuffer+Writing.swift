import NIOCore

/// Writing messages, piece by piece, into one buffer.
extension ByteBuffer {
    package mutating func writeLineEnd() { writeInteger(0x0D0A as UInt16) }

    /// A number in decimal digits, without going through a string.
    package mutating func writeDecimal(_ value: Int) { writeText(room: Self.decimalRoom) { $0.decimal(value) } }

    /// Of any number: 19 digits and a sign.
    private static let decimalRoom = 20

    /// `name: value` and the line's end. The value must have been checked.
    package mutating func writeField(_ name: StaticString, _ value: String) {
        writeText(room: name.utf8CodeUnitCount + value.utf8.count + Self.fieldRoom) { line in
            line.text(name)
            line.text(": ")
            line.text(value)
            line.lineEnd()
        }
    }

    /// The same with a value in pieces.
    package mutating func writeField(_ name: StaticString, pieces: [String]) {
        let room = pieces.reduce(name.utf8CodeUnitCount + Self.fieldRoom) { $0 + $1.utf8.count }
        writeText(room: room) { line in
            line.text(name)
            line.text(": ")
            for piece in pieces { line.text(piece) }
            line.lineEnd()
        }
    }

    package mutating func writeField(_ name: StaticString, _ value: Int) {
        writeText(room: name.utf8CodeUnitCount + Self.decimalRoom + Self.fieldRoom) { line in
            line.text(name)
            line.text(": ")
            line.decimal(value)
            line.lineEnd()
        }
    }

    package mutating func writeField(name: String, _ value: String) {
        writeText(room: name.utf8.count + value.utf8.count + Self.fieldRoom) { line in
            line.text(name)
            line.text(": ")
            line.text(value)
            line.lineEnd()
        }
    }

    /// Of what stands in a field's line beside its name and its value.
    private static let fieldRoom = 4

    /// Field lines as they came: those that `mayPass`, as many at a time as stand side by side.
    package mutating func writeLines(of section: FieldSection, where mayPass: (FieldLine) -> Bool) {
        var run = 0..<0
        for line in section.lines where mayPass(line) {
            if run.upperBound == Int(line.start) {
                run = run.lowerBound..<Int(line.end)
            } else {
                if !run.isEmpty { write(section.bytes, run) }
                run = line.whole
            }
        }
        if !run.isEmpty { write(section.bytes, run) }
    }

    /// A field line as it came.
    package mutating func writeLine(_ line: FieldLine, of section: FieldSection) {
        write(section.bytes, line.whole)
    }

    /// `size CRLF`: what stands before a chunk's bytes.
    package mutating func writeChunkSize(_ size: Int) {
        writeHexadecimal(size)
        writeLineEnd()
    }

    /// The last chunk, and behind it trailer fields.
    package mutating func writeLastChunk(trailers: FieldSection, where mayPass: (FieldLine) -> Bool) {
        writeStaticString("0\r\n")
        for line in trailers.lines where mayPass(line) { writeLine(line, of: trailers) }
        writeLineEnd()
    }

    private mutating func writeHexadecimal(_ value: Int) {
        if value >= 16 { writeHexadecimal(value >> 4) }
        let digit = UInt8(truncatingIfNeeded: value & 0xF)
        writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }

    /// The bytes at `range` of `bytes`, counted from its reader index.
    mutating func write(_ bytes: ByteBuffer, _ range: Range<Int>) {
        guard let slice = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count) else { return }
        writeImmutableBuffer(slice)
    }
}
