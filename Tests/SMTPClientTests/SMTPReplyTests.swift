import SMTPClient
import Testing

@Suite struct SMTPReplyTests {
    /// What is read of `text`, however it is cut.
    private static func read(_ text: String) -> Result<[SMTPReply], SMTPReplyReader.Malformed> {
        var reader = SMTPReplyReader()
        var replies: [SMTPReply] = []
        do throws(SMTPReplyReader.Malformed) {
            for byte in text.utf8 {
                if let reply = try reader.read(byte) { replies.append(reply) }
            }
            return .success(replies)
        } catch {
            return .failure(error)
        }
    }

    @Test func repliesAreRead() throws {
        let replies = try Self.read(
            "220 mail.example.com ESMTP\r\n250-mail.example.com\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n354\r\n250 \n221 a\n"
        ).get()
        #expect(
            replies == [
                SMTPReply(code: 220, lines: ["mail.example.com ESMTP"]),
                SMTPReply(code: 250, lines: ["mail.example.com", "STARTTLS", "AUTH PLAIN"]),
                SMTPReply(code: 354, lines: [""]), SMTPReply(code: 250, lines: [""]),
                SMTPReply(code: 221, lines: ["a"]),
            ])
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n", "25\r\n", "\r\n", "2500 x\r\n", "199 x\r\n", "600 x\r\n", "25x y\r\n",
        "250-a\r\n251 b\r\n", "٢٢٠ x\r\n", "-ERR\r\n", "250_a\r\n",
    ])
    func whatIsNoReplyIsRefused(text: String) {
        #expect(throws: SMTPReplyReader.Malformed.self) { try Self.read(text).get() }
    }

    @Test func repliesAreBounded() throws {
        let longest = "250 " + String(repeating: "x", count: SMTPReplyReader.maximumLineBytes - 6) + "\r\n"
        #expect(try Self.read(longest).get().count == 1)
        #expect(throws: SMTPReplyReader.Malformed.self) { try Self.read("250 x" + longest.dropFirst(3)).get() }
        let lines = String(repeating: "250-x\r\n", count: SMTPReplyReader.maximumLines - 1)
        #expect(try Self.read(lines + "250 x\r\n").get().first?.lines.count == SMTPReplyReader.maximumLines)
        #expect(throws: SMTPReplyReader.Malformed.self) { try Self.read(lines + "250-x\r\n250 x\r\n").get() }
    }

    @Test func whatGoesToALogIsOneLineWithoutControls() {
        let reply = SMTPReply(code: 550, lines: ["5.1.1 no\u{1b}[31m such\u{0} user", "\u{202e}x", "a\u{85}b"])
        #expect(reply.text == "5.1.1 no [31m such  user  x a b")
        #expect(SMTPReply(code: 550, lines: [String(repeating: "é", count: 5000)]).text.count == 2000)
    }
}
