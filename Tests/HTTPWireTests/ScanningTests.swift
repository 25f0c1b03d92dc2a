import NIOCore
import Testing

@testable import HTTPWire

/// Looking at eight bytes at a time finds what looking at one at a time finds.
@Suite struct ScanningTests {
    private static let interesting: [UInt8] = [0, 1, 9, 10, 13, 0x1F, 0x20, 0x21, 0x7E, 0x7F, 0x80, 0x81, 0x8A, 0xFF]

    @Test(arguments: [0, 1, 7, 8, 9, 15, 16, 17, 40])
    func everyPlaceOfEveryByte(count: Int) {
        for byte in Self.interesting {
            for place in 0..<max(1, count) {
                for background in [UInt8(ascii: "a"), 0x20, 0xFF] {
                    var bytes = [UInt8](repeating: background, count: count)
                    if place < count { bytes[place] = byte }
                    compare(bytes)
                }
            }
        }
    }

    @Test func anyBytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let count = Int.random(in: 0...60, using: &generator)
            compare(
                (0..<count).map { _ in
                    Bool.random(using: &generator)
                        ? Self.interesting[Int.random(in: 0..<Self.interesting.count, using: &generator)]
                        : UInt8.random(in: 0...255, using: &generator)
                })
        }
    }

    private func compare(_ bytes: [UInt8]) {
        let span = bytes.span
        for start in 0...bytes.count {
            for byte in Self.interesting {
                let expected = bytes[start...].firstIndex(of: byte) ?? bytes.count
                #expect(span.place(of: byte, from: start) == expected, "\(byte) from \(start) of \(bytes)")
            }
            let expected = bytes[start...].firstIndex { !$0.isFieldValueByte } ?? bytes.count
            #expect(span.endOfFieldValue(from: start) == expected, "from \(start) of \(bytes)")
        }
    }
}
