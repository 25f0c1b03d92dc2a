import HTTPWire
import NIOCore
import Testing

/// Bodies end where their framing says, however their bytes arrive.
@Suite struct BodyReaderTests {
    /// The body's bytes, its trailers' names, and what is left behind it. Nil when it does not end.
    private func read(
        _ text: String, _ framing: BodyFraming, portion: Int
    ) throws -> (body: String, trailers: [String], rest: String)? {
        var reader = BodyReader(framing)
        var buffer = ByteBuffer()
        var rest = Array(text.utf8)[...]
        var body = ""
        while true {
            while let part = try reader.next(from: &buffer) {
                switch part {
                case .bytes(let bytes): body += String(buffer: bytes)
                case .end(let trailers):
                    let left = String(buffer: buffer) + String(decoding: rest, as: UTF8.self)
                    return (body, trailers.lines.map { trailers.name(of: $0) }, left)
                }
            }
            guard !rest.isEmpty else { return nil }
            buffer.writeBytes(rest.prefix(portion))
            rest = rest.dropFirst(portion)
        }
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func everyFramingEndsWhereItSays(portion: Int) throws {
        let length = try #require(try read("hello, GET", .length(5), portion: portion))
        #expect(length.body == "hello" && length.rest == ", GET")
        let none = try #require(try read("GET /", .none, portion: portion))
        #expect(none.body.isEmpty && none.rest == "GET /")
        let chunked = try #require(
            try read("5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nGET", .chunked, portion: portion))
        #expect(chunked.body == "hello0123456789" && chunked.rest == "GET" && chunked.trailers.isEmpty)
        let trailed = try #require(try read("1\r\na\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\nGET", .chunked, portion: portion))
        #expect(trailed.body == "a" && trailed.trailers == ["X-Sum", "Y"] && trailed.rest == "GET")
        #expect(try read("hello", .untilClose, portion: portion) == nil)
    }

    @Test(
        arguments: [
            "G\r\n", "-1\r\n", " 1\r\n", "0x1\r\n", "\r\n", "1\nab", "1\r\naXX", "1\r\na\n\n", "1 \u{1}\r\n",
            "1;a\rb\r\n", "1 x\r\n", "ABC / HTTP/1.1\r\n",
            "1111111111111111\r\n", "1;" + String(repeating: "x", count: 300), "1\r\nab\r\n",
        ], [1, 1000])
    func chunksThatAreNoneAreRefused(text: String, portion: Int) {
        #expect(throws: MessageProblem.chunk) { try read(text, .chunked, portion: portion) }
    }

    @Test(arguments: ["0\r\nX\r\n\r\n", "0\r\n X: a\r\n\r\n", "0\r\nX: a\nY: b\r\n\r\n", "0\r\nX : a\r\n\r\n"])
    func trailersThatAreNoneAreRefused(text: String) {
        #expect(throws: MessageProblem.trailers) { try read(text, .chunked, portion: 1000) }
    }

    @Test func onlyABodyWithoutAnEndMayEndWithTheConnection() {
        for (framing, isEnd) in [(BodyFraming.untilClose, true), (.chunked, false), (.length(3), false)] {
            var reader = BodyReader(framing)
            #expect(reader.closed() == isEnd)
        }
    }
}
