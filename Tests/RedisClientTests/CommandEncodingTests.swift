import Hiredis
import NIOCore
import RedisClient
import Testing

/// What is written straight into the outgoing bytes is what hiredis' encoder makes.
@Suite struct CommandEncodingTests {
    private func encoded(_ arguments: [String]) throws -> [UInt8] {
        try unsafe RedisCommand(arguments: arguments).withEncoded { bytes in unsafe Array(bytes) }
    }

    /// Text of `length` bytes with line ends, zeros and letters of two bytes in it.
    private func text(length: Int) -> String {
        var text = ""
        while text.utf8.count < length {
            let next = ["*", "\r\n", "ä", "$", "\0", "key"][text.utf8.count % 6]
            text += text.utf8.count + next.utf8.count > length ? "x" : next
        }
        return text
    }

    @Test(arguments: [1, 2, 9, 10, 11, 28, 99, 100, 101])
    func everyLengthAndCount(count: Int) throws {
        let lengths = [0, 1, 8, 9, 10, 11, 64, 98, 99, 100, 101, 999, 1000, 1001, 70_000]
        for first in lengths.indices {
            let arguments = (0..<count).map { text(length: lengths[(first + $0) % lengths.count]) }
            var buffer = ByteBuffer()
            buffer.writeCommandStart(argumentCount: count)
            for argument in arguments { buffer.writeArgument(argument) }
            #expect(Array(buffer.readableBytesView) == (try encoded(arguments)), "\(count) from \(lengths[first])")
        }
    }

    @Test(arguments: [0, 1, 9, 10, 99, 100, 101, 70_000])
    func bytes(length: Int) throws {
        let text = text(length: length)
        var buffer = ByteBuffer()
        buffer.writeCommandStart(argumentCount: 1)
        buffer.writeArgument(bytes: Array(text.utf8))
        #expect(Array(buffer.readableBytesView) == (try encoded([text])))
    }

    @Test(arguments: [0, 1, 9, 10, 99, 100, 101, 1_764_198_000, .max, -1, -10, .min])
    func numbers(_ number: Int) throws {
        var buffer = ByteBuffer()
        buffer.writeCommandStart(argumentCount: 1)
        buffer.writeArgument(number)
        #expect(Array(buffer.readableBytesView) == (try encoded(["\(number)"])))
    }

    @Test func parts() throws {
        let parts = ["usage:{", text(length: 90), "}:{", "", text(length: 130), "}\r\n"]
        var buffer = ByteBuffer()
        buffer.writeCommandStart(argumentCount: 3)
        buffer.writeArgument(parts: parts[0], parts[1], parts[2])
        buffer.writeArgument(parts: parts[0], parts[1], parts[2], parts[3], parts[4], parts[5])
        buffer.writeArgument(0x3031_3233_3435_3637, 0x3839_6162_6364_6566, 0x6768_696a)
        let expected = [parts.prefix(3).joined(), parts.joined(), "0123456789abcdefghij"]
        #expect(Array(buffer.readableBytesView) == (try encoded(expected)))
    }
}
