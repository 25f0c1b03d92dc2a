import Hiredis
import Testing

@Suite struct ParsedReplyTests {
    private func integers(_ text: String) throws -> IntegerReply? {
        var reader = ReplyReader()
        try unsafe Array(text.utf8).withUnsafeBytes { try unsafe reader.feed($0) }
        guard let reply = try reader.nextParsed() else {
            Issue.record("no complete reply")
            return nil
        }
        return reply.integers
    }

    @Test(arguments: [0, 1, 6, IntegerReply.maximumCount])
    func flatArraysOfIntegersAreNumbers(count: Int) throws {
        let numbers = (0..<count).map { Int64($0) * 3 - 7 }
        let text = "*\(count)\r\n" + numbers.map { ":\($0)\r\n" }.joined()
        let reply = try #require(try integers(text))
        #expect(reply == IntegerReply(numbers))
        #expect((0..<reply.count).map { reply[$0] } == numbers)
    }

    @Test func aTextMayStandBehindThem() throws {
        let full = String(repeating: ":1\r\n", count: IntegerReply.maximumCount)
        let reply = try #require(try integers("*2\r\n:1\r\n$3\r\na b\r\n"))
        #expect(reply == IntegerReply([1], text: "a b"))
        let longest = try integers("*\(IntegerReply.maximumCount + 1)\r\n" + full + "$0\r\n\r\n")
        #expect(longest == IntegerReply(Array(repeating: 1, count: IntegerReply.maximumCount), text: ""))
    }

    @Test func everythingElseIsNot() throws {
        let tooMany = IntegerReply.maximumCount + 1
        let others = [
            ":1\r\n", "+OK\r\n", "$-1\r\n", "*-1\r\n", "-ERR no\r\n", "*2\r\n$1\r\n2\r\n:1\r\n", "*1\r\n$-1\r\n",
            "*3\r\n:1\r\n$1\r\n2\r\n$1\r\n3\r\n",
            "*1\r\n*1\r\n:1\r\n", "*\(tooMany)\r\n" + String(repeating: ":1\r\n", count: tooMany),
        ]
        for text in others { #expect(try integers(text) == nil, "\(text)") }
        #expect(IntegerReply(Array(repeating: 1, count: tooMany)) == nil)
    }

    @Test func errorsTellTheirMessage() throws {
        var reader = ReplyReader()
        try unsafe Array("-ERR no\r\n*1\r\n:1\r\n".utf8).withUnsafeBytes { try unsafe reader.feed($0) }
        let error = try reader.nextParsed()?.error
        #expect(error == "ERR no")
        let none = try reader.nextParsed()?.error
        #expect(none == nil)
        #expect(try reader.next() == nil)
    }
}
