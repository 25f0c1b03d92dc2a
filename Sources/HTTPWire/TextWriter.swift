package import NIOCore

/// Puts text together in room that a buffer has made for it beforehand: a piece then costs its bytes and no more, where
/// each write of a buffer's own looks for room and for other owners anew. Text that is longer than the room ends the
/// program.
@safe
package struct TextWriter: ~Copyable {
    // Unsafe: room of a buffer that outlives the closure to which this is lent. Every write is checked against it.
    private let start: UnsafeMutableRawPointer
    private let room: Int

    /// Bytes that were written.
    fileprivate private(set) var count = 0

    /// Unsafe: `output` outlives this value.
    fileprivate init?(_ output: UnsafeMutableRawBufferPointer) {
        guard let start = output.baseAddress else { return nil }
        unsafe self.start = unsafe start
        room = output.count
    }

    package mutating func text(_ text: StaticString) {
        unsafe copy(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func text(_ text: String) {
        let wasCopied: Void? = unsafe text.utf8.withContiguousStorageIfAvailable {
            unsafe copy(UnsafeRawBufferPointer($0))
        }
        if wasCopied == nil { for byte in text.utf8 { self.byte(byte) } }
    }

    package mutating func byte(_ byte: UInt8) {
        let place = take(1)
        // Unsafe: `take` has checked the place.
        unsafe start.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
    }

    package mutating func lineEnd() { text("\r\n") }

    /// A number in decimal digits.
    package mutating func decimal(_ value: Int) {
        if value < 0 { byte(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let length = Self.digitCount(rest)
        var place = take(length) + length
        repeat {
            place -= 1
            // Unsafe: `take` has checked the places of all digits.
            unsafe start.storeBytes(
                of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: place, as: UInt8.self)
            rest /= 10
        } while rest > 0
    }

    private static func digitCount(_ value: UInt) -> Int {
        var (count, rest) = (1, value)
        while rest >= 10 { (count, rest) = (count + 1, rest / 10) }
        return count
    }

    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        let place = take(bytes.count)
        // Unsafe: `take` has checked the place, and nothing else points into it.
        unsafe (start + place).copyMemory(from: source, byteCount: bytes.count)
    }

    /// The place of the next `length` bytes.
    private mutating func take(_ length: Int) -> Int {
        precondition(length <= room - count, "the text is longer than the room for it")
        defer { count += length }
        return count
    }
}

extension ByteBuffer {
    /// Appends what `write` puts together, of `room` bytes at most.
    package mutating func writeText(room: Int, _ write: (inout TextWriter) -> Void) {
        // Unsafe: the writer is lent, so it is gone when the closure returns.
        unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: room) { output in
            guard var writer = unsafe TextWriter(output) else { return 0 }
            write(&writer)
            return writer.count
        }
    }
}
