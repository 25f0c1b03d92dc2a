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
        var text = text
        text.withUTF8 { bytes in
            let count = bytes.count
            // Unsafe: the room that is asked for holds the length, the text and both line ends.
            unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: count + Self.roomForLength) { output in
                var end = unsafe Self.writeCount(count, marker: UInt8(ascii: "$"), to: output)
                end = unsafe Self.copy(bytes, to: output, at: end)
                return unsafe Self.writeLineEnd(to: output, at: end)
            }
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
        var divisor = 1
        while count / divisor >= 10 { divisor *= 10 }
        var end = 1
        while divisor > 0 {
            unsafe output[end] = digit(count / divisor % 10)
            end += 1
            divisor /= 10
        }
        return unsafe writeLineEnd(to: output, at: end)
    }

    private static func copy(_ text: String, to output: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
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

    /// Decimal digits. A number of up to 15 of them lies in the string itself, without an allocation.
    package mutating func writeArgument(_ number: Int) {
        if (0...9).contains(number) {
            writeCount(1, marker: UInt8(ascii: "$"))
            writeMultipleIntegers(Self.digit(number), Self.carriageReturn, Self.lineFeed)
        } else {
            writeArgument(String(number))
        }
    }

    /// An argument of 20 bytes, the first byte uppermost in `first`.
    package mutating func writeArgument(_ first: UInt64, _ second: UInt64, _ third: UInt32) {
        writeCount(20, marker: UInt8(ascii: "$"))
        writeMultipleIntegers(first, second, third, Self.carriageReturn, Self.lineFeed)
    }

    /// `*12\r\n`
    private mutating func writeCount(_ count: Int, marker: UInt8) {
        switch count {
        case 0...9: writeMultipleIntegers(marker, Self.digit(count), Self.carriageReturn, Self.lineFeed)
        case 10...99:
            writeMultipleIntegers(
                marker, Self.digit(count / 10), Self.digit(count % 10), Self.carriageReturn, Self.lineFeed)
        default:
            writeInteger(marker)
            writeString(String(count))
            writeLineEnd()
        }
    }

    private mutating func writeLineEnd() { writeMultipleIntegers(Self.carriageReturn, Self.lineFeed) }

    private static func digit(_ number: Int) -> UInt8 { UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number) }
    private static var carriageReturn: UInt8 { UInt8(ascii: "\r") }
    private static var lineFeed: UInt8 { UInt8(ascii: "\n") }
}
