import SMTPClient
import Testing

@Suite struct MailMessageTests {
    @Test(arguments: [
        "ops@example.com", "o.p-s+alerts@mail.example.co.uk", "a@localhost", "A!#$%&'*/=?^_`{|}~9@x1.example",
    ])
    func addressesAreRead(text: String) {
        #expect(MailAddress(text)?.text == text)
    }

    @Test(arguments: [
        "", "ops", "@example.com", "ops@", "a@b@c", "a b@example.com", "ops@exa mple.com",
        "ops@example.com\r\nBcc: x@y.z",
        "ops@example.com\n", "<ops@example.com>", "ops@example..com", ".a@example.com", "a.@example.com",
        "a..b@example.com",
        "ops@-example.com", "ops@example-.com", "öps@example.com", "ops@exämple.com", "ops\u{0}@example.com",
        "\"a b\"@example.com", "ops@[192.0.2.1]", "ops,b@example.com", "ops@example.com>", "ops@example.com SIZE=1",
        String(repeating: "a", count: 65) + "@example.com", "a@" + String(repeating: "a", count: 64) + ".com",
    ])
    func whatIsNoAddressIsRefused(text: String) { #expect(MailAddress(text) == nil) }

    private static func message(
        subject: String = "A subject", id: String = "msg_1", date: String = "Sun, 29 Nov 2026 14:23:55 +0000",
        text: String = "Hello.\n", to: [String] = ["ops@example.com"]
    ) throws -> String {
        let message = MailMessage(
            from: try #require(MailAddress("alerts@example.com")), to: try to.map { try #require(MailAddress($0)) },
            subject: subject, id: id, date: date, text: text)
        return String(decoding: message.bytes, as: UTF8.self)
    }

    @Test func aMailIsWrittenAsTheStandardsHaveIt() throws {
        #expect(
            try Self.message(to: ["ops@example.com", "b@example.com"]) == """
                Date: Sun, 29 Nov 2026 14:23:55 +0000\r
                From: alerts@example.com\r
                To: ops@example.com,\r
                 b@example.com\r
                Subject: A subject\r
                Message-ID: <msg_1@example.com>\r
                Auto-Submitted: auto-generated\r
                MIME-Version: 1.0\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Transfer-Encoding: quoted-printable\r
                \r
                Hello.\r

                """)
    }

    /// Whatever stands in what comes from users: the head stays the same lines, and no line is long.
    @Test(arguments: [
        "x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com", "x\r\n\r\nbody", "\u{0}\u{1b}[2J", "é\u{2028}x",
        String(repeating: "long ", count: 1000), "=?utf-8?q?x?=", "x\u{85}y",
    ])
    func noTextMakesAHeader(text: String) throws {
        let plain = try Self.message()
        let names = { (mail: String) in
            mail.components(upTo: "\r\n\r\n").split(separator: "\r\n").map { $0.prefix { $0 != ":" } }
        }
        for mail in [
            try Self.message(subject: text), try Self.message(id: text), try Self.message(date: text),
            try Self.message(text: text),
        ] {
            #expect(names(mail) == names(plain))
            let lines = mail.split(separator: "\r\n", omittingEmptySubsequences: false)
            #expect(lines.allSatisfy { $0.utf8.count <= 220 && $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } })
        }
    }

    @Test func textsAreQuotedSoThatTheyComeBack() throws {
        let text = "é = ü \n.\nends in a blank \n" + String(repeating: "0123456789", count: 30) + "\n\ttab\n"
        let mail = try Self.message(text: text)
        let body = mail.dropFirst(mail.components(upTo: "\r\n\r\n").count + 2)
        #expect(body.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 76 && !$0.hasSuffix(" ") })
        #expect(Self.decoded(String(body)) == text.replacing("\n", with: "\r\n"))
    }

    /// As RFC 2045 has it.
    private static func decoded(_ text: String) -> String {
        var (bytes, rest) = ([UInt8](), Array(text.replacing("=\r\n", with: "").utf8)[...])
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    /// What stands before `separator`.
    fileprivate func components(upTo separator: String) -> Substring {
        self[..<(firstRange(of: separator)?.lowerBound ?? endIndex)]
    }
}
