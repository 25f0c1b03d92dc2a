import HTTPWire
import NIOCore
import Testing

/// Answers of upstreams, as they are and as they should be.
@Suite struct ResponseHeadTests {
    private func parse(_ text: String, isAnswerToHead: Bool = false) throws -> ResponseHead {
        try ResponseHead(parsing: ByteBuffer(string: text), isAnswerToHead: isAnswerToHead)
    }

    @Test func bodiesAreFramedAsTheStandardSays() throws {
        #expect(try parse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").framing == .length(3))
        #expect(try parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n").framing == .chunked)
        #expect(try parse("HTTP/1.1 200 OK\r\n\r\n").framing == .untilClose)
        #expect(try parse("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n").framing == .none)
        #expect(try parse("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n").framing == .none)
        #expect(try parse("HTTP/1.1 100 Continue\r\n\r\n").framing == .none)
        #expect(try parse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", isAnswerToHead: true).framing == .none)
    }

    @Test func connectionsAreKeptOnlyWhenTheAnswerHasAnEnd() throws {
        #expect(try parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").isKeptAlive)
        #expect(try !parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").isKeptAlive)
        #expect(try !parse("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").isKeptAlive)
        #expect(try !parse("HTTP/1.1 200 OK\r\n\r\n").isKeptAlive)
    }

    @Test func theReasonIsPassedOn() throws {
        for (sent, written) in [
            ("HTTP/1.1 404 Not Here", "HTTP/1.1 404 Not Here\r\n"), ("HTTP/1.1 200", "HTTP/1.1 200 \r\n"),
            ("HTTP/1.0 500 ", "HTTP/1.1 500 \r\n"),
        ] {
            var buffer = ByteBuffer()
            try parse(sent + "\r\n\r\n").writeStatusLine(to: &buffer)
            #expect(String(buffer: buffer) == written)
        }
    }

    @Test(arguments: [
        "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 999 No", "HTTP/2 200 OK", "ICY 200 OK", "HTTP/1.1  200 OK",
        "HTTP/1.1 200 O\u{1}K", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "HTTP/1.1 200 OK\r\n folded: 1",
        "HTTP/1.1 200 OK\r\nX y: 1", "HTTP/1.1 200 OK\r\n : 1", "HTTP/1.1 200 OK\r\nContent_Length: 1",
    ])
    func whatIsNoAnswerIsRefused(text: String) {
        #expect(throws: MessageProblem.self) { try parse(text + "\r\n\r\n") }
    }

    /// RFC 9112, section 6.3.
    @Test(arguments: [
        "Content-Length: 1\r\nContent-Length: 2", "Content-Length: x", "Transfer-Encoding: gzip",
        "Content-Length: 3\r\nTransfer-Encoding: chunked", "Content_Length: 1",
    ])
    func whatHasNoBodyEndsWithItsHeadWhateverTheFieldsSay(fields: String) throws {
        for (status, isAnswerToHead) in [
            ("200 OK", true), ("204 No Content", false), ("304 -", false), ("103 -", false),
        ] {
            let head = try parse("HTTP/1.1 \(status)\r\n\(fields)\r\n\r\n", isAnswerToHead: isAnswerToHead)
            #expect(head.framing == .none && !head.statesLength && head.isKeptAlive, "\(status): \(fields)")
        }
        #expect(throws: MessageProblem.ambiguousFraming) { try parse("HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n") }
    }

    @Test func blanksBeforeColonsAreTakenOut() throws {
        let head = try parse(
            "HTTP/1.1 200 All is  well\r\nX-A: 1 : 2\r\nContent-Length \t : 3\r\nX-B  :  b : c\r\nX-C:\r\n\r\n")
        #expect(head.framing == .length(3))
        var buffer = ByteBuffer()
        head.writeStatusLine(to: &buffer)
        buffer.writeLines(of: head.fields) { _ in true }
        #expect(
            String(buffer: buffer)
                == "HTTP/1.1 200 All is  well\r\nX-A: 1 : 2\r\nContent-Length: 3\r\nX-B:  b : c\r\nX-C:\r\n")
    }
}
