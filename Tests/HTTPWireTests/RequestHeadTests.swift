import HTTPWire
import NIOCore
import Testing

/// A request means one thing or it is refused.
@Suite struct RequestHeadTests {
    private func parse(_ text: String) throws -> RequestHead { try RequestHead(parsing: ByteBuffer(string: text)) }

    private func problem(_ text: String) -> MessageProblem? {
        do {
            var scanner = HeadScanner(limitBytes: 16_384)
            let bytes = ByteBuffer(string: text)
            guard let end = try scanner.end(in: bytes), let head = bytes.getSlice(at: 0, length: end) else {
                return nil
            }
            _ = try RequestHead(parsing: head).host()
            return nil
        } catch {
            return error
        }
    }

    @Test func aRequestIsReadWhereItLies() throws {
        let head = try parse(
            "POST /a?b=c HTTP/1.1\r\nHost: api.example:8080\r\nX-API-Key:  sk_live_x \t\r\nContent-Length: 12\r\n"
                + "Expect: 100-Continue\r\nAccept: a\r\naccept: b\r\n\r\n")
        #expect(head.method == "POST" && head.target == "/a?b=c" && !head.isHTTP10 && head.isKeptAlive)
        #expect(head.framing == .length(12) && head.expectsContinue)
        #expect(try head.host() == "api.example:8080")
        #expect(head.fields.values(.apiKey) == ["sk_live_x"])
        #expect(head.fields.first(named: "accept") == "a" && head.fields.lines.count == 6)
    }

    @Test func connectionsAreKeptAsTheVersionSays() throws {
        #expect(try !parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n").isKeptAlive)
        #expect(try !parse("GET / HTTP/1.0\r\n\r\n").isKeptAlive)
        #expect(try parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").isKeptAlive)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\nHost: a\n\n", MessageProblem.bareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", .bareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", .foldedField),
        ("GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n", .foldedField),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .fieldName),
        ("GET / HTTP/1.1\r\nHo st: a\r\n\r\n", .fieldName),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", .fieldName),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", .fieldName),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\nY: c\r\n\r\n", .fieldName),
        ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", .fieldValue),
        ("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", .fieldValue),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .startLine),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .startLine),
        ("GET / a HTTP/1.1\r\nHost: a\r\n\r\n", .startLine),
        ("GET /\r\nHost: a\r\n\r\n", .startLine),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", .startLine),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", .startLine),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .version),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .majorVersion),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", .majorVersion),
        ("GET / HTTP/2\r\nHost: a\r\n\r\n", .version),
        ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", .version),
        ("GET / HTTP/1:1\r\nHost: a\r\n\r\n", .version),
        ("GET / HTTP/x.1\r\nHost: a\r\n\r\n", .version),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", .startLine),
        ("PRI * HTTP/2.0\r\n\r\n", .http2Preface),
        ("\r\n\r\n", .startLine),
        ("\u{16}\u{3}\u{1}", .startLine),
        ("GET / HTTP/1.1\r\n\r\n", .host),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .host),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .host),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", .host),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .host),
    ])
    func whatIsNoRequestIsRefused(text: String, problem expected: MessageProblem) {
        #expect(problem(text) == expected)
    }

    @Test(arguments: [
        "Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: +1", "Content-Length: 1, 1",
        "Content-Length: -1", "Content-Length:", "Content-Length: 99999999999999999999", "Content-Length: 0x1",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer_Encoding: chunked\r\nContent-Length: 1",
        "Transfer_Encoding: chunked", "Content_Length: 1", "Transfer.Encoding: chunked", "content~length: 1",
    ])
    func framingThatCanBeReadInTwoWaysIsRefused(fields: String) {
        #expect(problem("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n") == .ambiguousFraming)
    }

    @Test func http10KnowsNoChunks() {
        #expect(problem("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == .ambiguousFraming)
    }

    /// RFC 9110, section 2.5: what a minor version adds can be ignored.
    @Test(arguments: 2...9) func laterMinorVersionsAreReadAsHTTP11(minor: Int) throws {
        let head = try parse("GET / HTTP/1.\(minor)\r\nHost: a\r\n\r\n")
        #expect(!head.isHTTP10 && head.isKeptAlive)
    }

    @Test func http10ExpectsNothing() throws {
        #expect(try !parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectsContinue)
    }

    @Test func oneEmptyLineBeforeARequestIsForgiven() throws {
        #expect(try parse("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").method == "GET")
    }

    @Test func headsHaveLimits() throws {
        let many = (0..<101).map { "X-\($0): 1\r\n" }.joined()
        #expect(throws: MessageProblem.tooManyFields) { try parse("GET / HTTP/1.1\r\n\(many)\r\n") }
        var scanner = HeadScanner(limitBytes: 64)
        #expect(throws: MessageProblem.headTooLarge) {
            try scanner.end(in: ByteBuffer(string: "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 64)))
        }
    }

    @Test func aHeadMayComeByteByByte() throws {
        let text = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
        var scanner = HeadScanner(limitBytes: 1_024)
        var bytes = ByteBuffer()
        for byte in text.utf8.dropLast() {
            bytes.writeInteger(byte)
            #expect(try scanner.end(in: bytes) == nil)
        }
        bytes.writeString("\nGET")
        #expect(try scanner.end(in: bytes) == text.utf8.count)
    }

    @Test func placesOfAByteAreFoundWhereverTheyLie() {
        for length in 0...40 {
            for place in 0..<length {
                var bytes = ByteBuffer(string: "xx" + String(repeating: "^", count: length) + "_")
                bytes.moveReaderIndex(forwardBy: 2)
                bytes.setString("_", at: 2 + place)
                bytes.moveWriterIndex(to: 2 + length)
                var found: [Int] = []
                bytes.forEachPlace(of: UInt8(ascii: "_")) { found.append($0) }
                #expect(found == [place], "\(length)")
            }
        }
        var all: [Int] = []
        ByteBuffer(string: String(repeating: "_", count: 19)).forEachPlace(of: UInt8(ascii: "_")) { all.append($0) }
        #expect(all == Array(0..<19))
    }

    @Test func placesOfAHeadAreReplaced() throws {
        let head = try parse("GET /a?k=secret HTTP/1.1\r\nHost: a\r\nCookie: k=secret; b=1\r\n\r\n")
        let text = String(buffer: head.fields.bytes)
        let places = text.ranges(of: "secret").map { range in
            text.utf8.distance(
                from: text.startIndex, to: range.lowerBound)..<text.utf8.distance(
                    from: text.startIndex, to: range.upperBound)
        }
        let clean = try head.replacing(places, with: "-")
        #expect(clean.target == "/a?k=-" && clean.fields.first(named: "cookie") == "k=-; b=1")
    }

    /// No bytes at all may make the parser trap.
    @Test func rubbishIsRefusedAndHarmless() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("GET /HTTP1.\r\n\r\n: \tabc\0\u{7f}-_chunked".utf8)
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...40, using: &generator)).compactMap { _ in
                alphabet.randomElement(using: &generator)
            }
            bytes += Array("\r\n\r\n".utf8)
            var scanner = HeadScanner(limitBytes: 1_024)
            let buffer = ByteBuffer(bytes: bytes)
            guard let end = try? scanner.end(in: buffer), let head = buffer.getSlice(at: 0, length: end) else {
                continue
            }
            _ = try? RequestHead(parsing: head)
            _ = try? ResponseHead(parsing: head, isAnswerToHead: false)
        }
    }
}
