package import NIOCore
import Synchronization

/// Bytes that tell where they stand: a long body of them that lost, doubled or changed one anywhere is found out.
package enum BytePattern {
    /// A prime, so that no block, page or chunk fits it.
    private static let period = 65_521

    /// Two periods, so that every piece up to one of them is in one place.
    private static let text: ByteBuffer = {
        var state: UInt32 = 0x9e37_79b9
        let bytes = (0..<period).map { _ -> UInt8 in
            state ^= state << 13
            state ^= state >> 17
            state ^= state << 5
            return UInt8(truncatingIfNeeded: state)
        }
        return ByteBuffer(bytes: bytes + bytes)
    }()

    /// The bytes from `offset` on: `length` of them, or as many as are in one place.
    package static func piece(at offset: Int, length: Int) -> ByteBuffer {
        text.getSlice(at: offset % period, length: min(length, period)) ?? ByteBuffer()
    }

    /// Whether `bytes` are those from `offset` on.
    package static func matches(_ bytes: ByteBuffer, at offset: Int) -> Bool {
        var (rest, offset) = (bytes, offset)
        while rest.readableBytes > 0 {
            let expected = piece(at: offset, length: rest.readableBytes)
            guard rest.readSlice(length: expected.readableBytes) == expected else { return false }
            offset += expected.readableBytes
        }
        return true
    }
}

/// Counts the bytes of one long body, and compares each with the one that belongs in its place.
package final class BodyTally: Sendable {
    private let bytes = Atomic<Int>(0)
    private let differs = Atomic<Bool>(false)

    package init() {}

    package var count: Int { bytes.load(ordering: .acquiring) }

    /// Whether all that came is what was sent.
    package var isIntact: Bool { !differs.load(ordering: .acquiring) }

    func add(_ part: ByteBuffer) {
        if !BytePattern.matches(part, at: count) { differs.store(true, ordering: .releasing) }
        bytes.wrappingAdd(part.readableBytes, ordering: .releasing)
    }
}
