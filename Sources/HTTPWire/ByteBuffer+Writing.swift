import NIOCore

/// Writing messages, piece by piece, into one buffer.
extension ByteBuffer {
    package mutating func writeLineEnd() { writeInteger(0x0D0A as UInt16) }

    /// A number in decimal digits, without going through a string.
    package mutating func writeDecimal(_ value: Int) {
        guard value >= 0 else { return _ = writeString(String(value)) }
        if value < 10 { return _ = writeInteger(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value)) }
        var rest = value
        if rest >= 100_000_000 {
            writeDecimal(rest / 100_000_000)
            rest %= 100_000_000
            writeDigits(rest, count: 8)
        } else {
            writeDigits(rest, count: Self.digitCount(rest))
        }
    }

    /// Up to eight digits in one write: they are put together in a word, of which what is too much is taken back.
    private mutating func writeDigits(_ value: Int, count: Int) {
        var (word, rest, shift) = (UInt64(0), value, 64 - 8 * count)
        for _ in 0..<count {
            word |= UInt64(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)) << UInt64(shift)
            rest /= 10
            shift += 8
        }
        writeInteger(word)
        moveWriterIndex(to: writerIndex - (8 - count))
    }

    private static func digitCount(_ value: Int) -> Int {
        var (count, bound) = (1, 10)
        while value >= bound { (count, bound) = (count + 1, bound * 10) }
        return count
    }

    /// `name: value` and the line's end. The value must have been checked.
    package mutating func writeField(_ name: StaticString, _ value: String) {
        writeStaticString(name)
        writeInteger(0x3A20 as UInt16)
        writeString(value)
        writeLineEnd()
    }

    package mutating func writeField(_ name: StaticString, _ value: Int) {
        writeStaticString(name)
        writeInteger(0x3A20 as UInt16)
        writeDecimal(value)
        writeLineEnd()
    }

    package mutating func writeField(name: String, _ value: String) {
        writeString(name)
        writeInteger(0x3A20 as UInt16)
        writeString(value)
        writeLineEnd()
    }

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
