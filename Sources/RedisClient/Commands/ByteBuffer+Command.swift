import NIOCore

/// Commands written straight into the bytes that leave, in the form that hiredis' encoder gives them
/// (https://redis.io/docs/latest/develop/reference/protocol-spec/): for the hot path, where a command must not cost an
/// allocation for each argument. Everything else is encoded by `RedisCommand`, and a test compares the two.
extension ByteBuffer {
    /// Begins a command. As many arguments must follow as are announced; the command's name is the first.
    package mutating func writeCommandStart(argumentCount: Int) {
        writeCount(argumentCount, marker: UInt8(ascii: "*"))
    }

    package mutating func writeArgument(_ text: String) {
        let count = text.utf8.count
        // Unsafe: the room that is asked for holds the length, the text and both line ends.
        unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: count + Self.roomForLength) { output in
            var end = unsafe Self.writeCount(count, marker: UInt8(ascii: "$"), to: output)
            end = unsafe Self.copy(text, to: output, at: end)
            return unsafe Self.writeLineEnd(to: output, at: end)
        }
    }

    package mutating func writeArgument(bytes: [UInt8]) {
        writeCount(bytes.count, marker: UInt8(ascii: "$"))
        writeBytes(bytes)
        writeLineEnd()
    }

    /// One argument, put together from `parts`.
    package mutating func writeArgument(
        parts first: String, _ second: String, _ third: String, _ fourth: String = "", _ fifth: String = "",
        _ sixth: String = ""
    ) {
        let count =
            first.utf8.count + second.utf8.count + third.utf8.count + fourth.utf8.count + fifth.utf8.count
            + sixth.utf8.count
        // Unsafe: as above, with all parts.
        unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: count + Self.roomForLength) { output in
            var end = unsafe Self.writeCount(count, marker: UInt8(ascii: "$"), to: output)
            end = unsafe Self.copy(first, to: output, at: end)
            end = unsafe Self.copy(second, to: output, at: end)
            end = unsafe Self.copy(third, to: output, at: end)
            end = unsafe Self.copy(fourth, to: output, at: end)
            end = unsafe Self.copy(fifth, to: output, at: end)
            end = unsafe Self.copy(sixth, to: output, at: end)
            return unsafe Self.writeLineEnd(to: output, at: end)
        }
    }

    /// A marker, 19 digits and two line ends.
    private static var roomForLength: Int { 24 }

    private static func writeCount(_ count: Int, marker: UInt8, to output: UnsafeMutableRawBufferPointer) -> Int {
        unsafe output[0] = marker
        let end = unsafe writeDecimal(count, to: output, at: 1)
        return unsafe writeLineEnd(to: output, at: end)
    }

    /// The digits of a number from 0 on.
    private static func writeDecimal(
        _ number: Int, to output: UnsafeMutableRawBufferPointer, at start: Int
    ) -> Int {
        let end = start + digitCount(number)
        var (rest, place) = (number, end)
        repeat {
            place -= 1
            unsafe output[place] = digit(rest % 10)
            rest /= 10
        } while rest > 0
        return end
    }

    private static func digitCount(_ number: Int) -> Int {
        var (count, rest) = (1, number)
        while rest >= 10 { (count, rest) = (count + 1, rest / 10) }
        return count
    }

    private static func copy(_ text: String, to output: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        // Most strings show their bytes as they are. Of another a copy is made, which does.
        let end = unsafe text.utf8.withContiguousStorageIfAvailable { bytes in
            unsafe copy(bytes, to: output, at: start)
        }
        if let end { return end }
        var text = text
        return text.withUTF8 { bytes in unsafe copy(bytes, to: output, at: start) }
    }

    private static func copy(
        _ bytes: UnsafeBufferPointer<UInt8>, to output: UnsafeMutableRawBufferPointer, at start: Int
    ) -> Int {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return start }
        unsafe UnsafeMutableRawBufferPointer(rebasing: output[start...])
            .copyMemory(from: UnsafeRawBufferPointer(start: source, count: bytes.count))
        return start + bytes.count
    }

    private static func writeLineEnd(to output: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        unsafe output[start] = carriageReturn
        unsafe output[start + 1] = lineFeed
        return start + 2
    }

    /// Decimal digits.
    package mutating func writeArgument(_ number: Int) {
        guard number >= 0 else { return writeArgument(String(number)) }
        // Unsafe: as above, with at most 19 digits.
        unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: 19 + Self.roomForLength) { output in
            var end = unsafe Self.writeCount(Self.digitCount(number), marker: UInt8(ascii: "$"), to: output)
            end = unsafe Self.writeDecimal(number, to: output, at: end)
            return unsafe Self.writeLineEnd(to: output, at: end)
        }
    }

    /// An argument of 20 bytes, the first byte uppermost in `first`.
    package mutating func writeArgument(_ first: UInt64, _ second: UInt64, _ third: UInt32) {
        writeCount(20, marker: UInt8(ascii: "$"))
        writeMultipleIntegers(first, second, third, Self.carriageReturn, Self.lineFeed)
    }

    /// `*12\r\n`
    private mutating func writeCount(_ count: Int, marker: UInt8) {
        // Unsafe: as above, without anything behind the length.
        unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: Self.roomForLength) { output in
            unsafe Self.writeCount(count, marker: marker, to: output)
        }
    }

    private mutating func writeLineEnd() { writeMultipleIntegers(Self.carriageReturn, Self.lineFeed) }

    private static func digit(_ number: Int) -> UInt8 { UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number) }
    private static var carriageReturn: UInt8 { UInt8(ascii: "\r") }
    private static var lineFeed: UInt8 { UInt8(ascii: "\n") }
}
