import Hiredis
import Testing

@Suite struct ReplyReaderTests {
    /// Feeds `text` in portions of `size` bytes and collects the replies.
    private func replies(_ text: String, portion size: Int) throws -> [RedisReply] {
        var reader = ReplyReader()
        var found: [RedisReply] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            try unsafe bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { try unsafe reader.feed($0) }
            while let reply = try reader.next() { found.append(reply) }
        }
        return found
    }

    private let everyKind =
        "+OK\r\n-NOSCRIPT No script\r\n:-9007199254740993\r\n$5\r\na\r\nb\0\r\n$-1\r\n$0\r\n\r\n*-1\r\n*0\r\n"
        + "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n+s\r\n"

    @Test(arguments: [1, 2, 3, 7, 1000])
    func repliesAreFoundInAnyPortions(size: Int) throws {
        #expect(
            try replies(everyKind, portion: size) == [
                .status("OK"), .error("NOSCRIPT No script"), .integer(-9_007_199_254_740_993),
                .bytes(Array("a\r\nb\0".utf8)), .null, .bytes([]), .null, .array([]),
                .array([.integer(1), .array([.bytes(Array("x".utf8)), .null]), .status("s")]),
            ])
    }

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0\r\n", "*1\r\n!\r\n"])
    func garbageIsAViolation(text: String) {
        #expect(throws: ProtocolViolation.self) { try replies(text, portion: 1000) }
    }

    @Test func violationsAreFinal() throws {
        var reader = ReplyReader()
        func feed(_ text: String) throws { try unsafe Array(text.utf8).withUnsafeBytes { try unsafe reader.feed($0) } }
        try feed("?\r\n")
        var failed = false
        do { _ = try reader.next() } catch { failed = true }
        #expect(failed)
        #expect(throws: ProtocolViolation.self) {
            try feed("+OK\r\n")
            _ = try reader.next()
        }
    }

    @Test func nestingTooDeepIsAViolation() {
        let deep = String(repeating: "*1\r\n", count: 9) + ":1\r\n"
        #expect(throws: ProtocolViolation.self) { try replies(deep, portion: 1000) }
    }

    /// Room for an array is made before its elements are there, and a reply waits for bytes that may never come.
    @Test func lengthsThatNobodyMeansAreViolations() throws {
        let reason = #expect(throws: ProtocolViolation.self) { try replies("*2147483647\r\n", portion: 1000) }?.reason
        #expect(reason == "Out of memory", "hiredis' word for a refused allocation")
        #expect(throws: ProtocolViolation.self) {
            try replies("*2\r\n*\(ReplyReader.maximumElementCount + 1)\r\n", portion: 1000)
        }
        #expect(try replies("*\(ReplyReader.maximumElementCount)\r\n:1\r\n", portion: 1000) == [])

        var reader = ReplyReader()
        let megabyte = [UInt8](repeating: 120, count: 1 << 20)
        try unsafe Array("$2147483647\r\n".utf8).withUnsafeBytes { try unsafe reader.feed($0) }
        var fed = 0
        #expect(throws: ProtocolViolation.self) {
            while fed <= 2 * ReplyReader.maximumPendingBytes {
                try unsafe megabyte.withUnsafeBytes { try unsafe reader.feed($0) }
                let reply = try reader.next()
                #expect(reply == nil)
                fed += megabyte.count
            }
        }
        #expect(fed <= ReplyReader.maximumPendingBytes)
    }

    @Test func bytesThatAreNoTextAreKept() throws {
        var reader = ReplyReader()
        let bytes: [UInt8] = Array("$2\r\n".utf8) + [0xff, 0xfe] + Array("\r\n".utf8)
        try unsafe bytes.withUnsafeBytes { try unsafe reader.feed($0) }
        let reply = try reader.next()
        #expect(reply == .bytes([0xff, 0xfe]))
        #expect(reply?.string == nil)
    }
}

@Suite struct RedisCommandTests {
    private func encoded(_ command: RedisCommand) throws -> String {
        try unsafe command.withEncoded { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
    }

    @Test func argumentsAreLengthPrefixed() throws {
        #expect(try encoded(RedisCommand("GET", "a b")) == "*2\r\n$3\r\nGET\r\n$3\r\na b\r\n")
    }

    @Test func argumentsCannotBreakOut() throws {
        #expect(
            try encoded(RedisCommand("SET", "k\r\n*1\r\n$8\r\nFLUSHALL", "ä"))
                == "*3\r\n$3\r\nSET\r\n$19\r\nk\r\n*1\r\n$8\r\nFLUSHALL\r\n$2\r\nä\r\n")
    }

    @Test func emptyArgumentsAreKept() throws {
        #expect(try encoded(RedisCommand("", "")) == "*2\r\n$0\r\n\r\n$0\r\n\r\n")
        var command = RedisCommand("EVAL", "")
        command.append(0)
        command.append("")
        #expect(try encoded(command) == "*4\r\n$4\r\nEVAL\r\n$0\r\n\r\n$1\r\n0\r\n$0\r\n\r\n")
    }

    @Test func commandsTooLongAreRefused() {
        let text = String(repeating: "x", count: RedisCommand.maximumBytes)
        #expect(throws: CommandTooLong(byteCount: RedisCommand.maximumBytes + 3)) {
            try unsafe RedisCommand("SET", text).withEncoded { _ in }
        }
    }
}
