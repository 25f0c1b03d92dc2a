import NIOCore
import Testing

@testable import HTTPWire

/// What is put together in room made beforehand is what a buffer's own writes make.
@Suite struct TextWriterTests {
    @Test(arguments: [0, 1, 9, 10, 11, 99, 100, 12_345_678, 100_000_000, .max, -1, -10, .min])
    func numbers(_ number: Int) {
        var buffer = ByteBuffer()
        buffer.writeDecimal(number)
        #expect(String(buffer: buffer) == "\(number)")
        buffer.clear()
        buffer.writeField("X", number)
        #expect(String(buffer: buffer) == "X: \(number)\r\n")
    }

    @Test(arguments: ["", "a", "fifteen letters", "sixteen letters.", String(repeating: "ä", count: 3000)])
    func fields(_ value: String) {
        var buffer = ByteBuffer(string: "before ")
        buffer.writeField("Name", value)
        buffer.writeField(name: "name", value)
        buffer.writeField("Name", pieces: [value, "", value])
        #expect(String(buffer: buffer) == "before Name: \(value)\r\nname: \(value)\r\nName: \(value)\(value)\r\n")
    }

    @Test func roomIsFilledToTheLastByte() {
        var buffer = ByteBuffer()
        buffer.writeText(room: 6) { text in
            text.text("a\r\n")
            text.byte(UInt8(ascii: "b"))
            text.lineEnd()
        }
        #expect(String(buffer: buffer) == "a\r\nb\r\n")
    }

    /// Longer text than there is room for never overwrites what lies behind. The room of a buffer is a power of two.
    @Test func longerTextEndsTheProgram() async {
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.writeText(room: 16) { text in
                for _ in 0..<1000 { text.text("0123456789abcdef") }
            }
        }
    }
}
