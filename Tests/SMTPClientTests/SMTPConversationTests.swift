import SMTPClient
import Testing

/// What is said to servers of all kinds, by the bytes that come from them.
@Suite struct SMTPConversationTests {
    private typealias Conversation = SMTPConversation

    private static let login = SMTPServer.Login(user: "gate", password: "hunter2")
    private static let plain = "AUTH PLAIN AGdhdGUAaHVudGVyMg=="

    private static func server(
        _ security: SMTPServer.Security = .startTLS, login: SMTPServer.Login? = nil, isLoopback: Bool = false
    ) -> SMTPServer {
        SMTPServer(host: "smtp.example.com", port: 587, security: security, login: login, isLoopback: isLoopback)
    }

    private static func errand(_ content: String = "Subject: x\r\n\r\nHello\r\n") throws -> SMTPConversation.Errand {
        .deliver(
            from: try #require(MailAddress("a@example.com")),
            to: [try #require(MailAddress("b@example.com")), try #require(MailAddress("c@example.com"))],
            content: Array(content.utf8))
    }

    /// What a conversation does when the server sends one of `pieces` after another: a line for each action. `<tls>` is the
    /// end of the handshake.
    private static func lines(
        _ server: SMTPServer, _ errand: SMTPConversation.Errand? = nil, _ pieces: [String]
    ) throws -> [String] {
        var conversation = SMTPConversation(
            server: server, errand: try errand ?? self.errand(), clientName: "[192.0.2.1]")
        return pieces.flatMap { piece in
            let actions = piece == "<tls>" ? conversation.secured() : conversation.received(Array(piece.utf8))
            return actions.map { action in
                switch action {
                case .send(let bytes): String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "↵")
                case .startTLS: "<starts TLS>"
                case .settle(.accepted): "<accepted>"
                case .settle(.refused(let refusal)): "<\(refusal.isPermanent ? "never" : "later"): \(refusal)>"
                case .settle(.failed(let reason)): "<failed: \(reason)>"
                case .close: "<closes>"
                }
            }
        }
    }

    private static let hello = "250-smtp.example.com\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN\r\n"

    @Test func aMailIsSentOverStartTLS() throws {
        let pieces = [
            "220 smtp.example.com\r\n", Self.hello, "220 go ahead\r\n", "<tls>", Self.hello, "235 2.7.0 welcome\r\n",
            "250 ok\r\n", "250 ok\r\n", "251 will forward\r\n", "354 go\r\n", "250 2.0.0 queued\r\n", "221 bye\r\n",
        ]
        let said = [
            "EHLO [192.0.2.1]↵", "STARTTLS↵", "<starts TLS>", "EHLO [192.0.2.1]↵", Self.plain + "↵",
            "MAIL FROM:<a@example.com>↵", "RCPT TO:<b@example.com>↵", "RCPT TO:<c@example.com>↵", "DATA↵",
            "Subject: x↵↵Hello↵.↵", "<accepted>", "QUIT↵", "<closes>",
        ]
        let server = Self.server(login: Self.login)
        #expect(try Self.lines(server, nil, pieces) == said)
        // However the bytes are cut.
        let cut = pieces.flatMap { piece in piece == "<tls>" ? [piece] : piece.map { String($0) } }
        #expect(try Self.lines(server, nil, cut) == said)
    }

    @Test func aCheckSendsNothing() throws {
        let pieces = [
            "220 x\r\n", Self.hello, "220 go\r\n", "<tls>", Self.hello, "235 ok\r\n", "221 bye\r\n",
        ]
        #expect(
            try Self.lines(Self.server(login: Self.login), .check, pieces).suffix(3) == [
                "<accepted>", "QUIT↵", "<closes>",
            ])
        let plain = try Self.lines(Self.server(.none), .check, ["220 x\r\n", "250 x\r\n"])
        #expect(plain == ["EHLO [192.0.2.1]↵", "<accepted>", "QUIT↵"])
    }

    @Test func mechanismsAreTakenAsTheyAreOffered() throws {
        let server = Self.server(.implicitTLS, login: Self.login)
        let said = try Self.lines(
            server, nil,
            ["220 x\r\n", "250-x\r\n250 auth login\r\n", "334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n"])
        #expect(
            said == ["EHLO [192.0.2.1]↵", "AUTH LOGIN↵", "Z2F0ZQ==↵", "aHVudGVyMg==↵", "MAIL FROM:<a@example.com>↵"])
        let none = try Self.lines(server, nil, ["220 x\r\n", "250-x\r\n250 AUTH GSSAPI\r\n"])
        #expect(none.dropFirst() == ["<failed: it offers neither AUTH PLAIN nor AUTH LOGIN>", "QUIT↵"])
    }

    /// What an attacker in the middle can put in before TLS begins.
    @Test(arguments: [
        "220 go ahead\r\n250 injected\r\n", "220 go ahead\r\n2", "220 go ahead\r\n\u{16}\u{3}\u{1}",
        "220-go\r\n220 ahead\r\n235 ok\r\n",
    ])
    func nothingIsTakenBehindTheAnswerToStartTLS(answer: String) throws {
        let said = try Self.lines(Self.server(login: Self.login), nil, ["220 x\r\n", Self.hello, answer, "<tls>"])
        #expect(said == ["EHLO [192.0.2.1]↵", "STARTTLS↵", "<failed: it spoke out of turn>", "<closes>"])
    }

    @Test func nothingIsTakenWhileTheHandshakeIsUnderWay() throws {
        let said = try Self.lines(
            Self.server(login: Self.login), nil, ["220 x\r\n", Self.hello, "220 go\r\n", "250 x\r\n", "<tls>"])
        #expect(said.suffix(3) == ["<starts TLS>", "<failed: it spoke out of turn>", "<closes>"])
    }

    @Test func withoutTLSNothingIsTold() throws {
        let stripped = try Self.lines(
            Self.server(login: Self.login), nil, ["220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "221 bye\r\n"])
        #expect(
            stripped == ["EHLO [192.0.2.1]↵", "<failed: it does not offer STARTTLS>", "QUIT↵", "<closes>"])
        let refused = try Self.lines(Self.server(login: Self.login), nil, ["220 x\r\n", Self.hello, "454 no TLS\r\n"])
        #expect(refused.suffix(2) == ["<later: it answered STARTTLS with 454 no TLS>", "QUIT↵"])
        let far = try Self.lines(Self.server(.none, login: Self.login), nil, ["220 x\r\n", Self.hello])
        #expect(far.dropFirst() == ["<failed: no password is told without TLS>", "QUIT↵"])
        let near = try Self.lines(
            Self.server(.none, login: Self.login, isLoopback: true), nil, ["220 x\r\n", Self.hello])
        #expect(near.last == Self.plain + "↵")
    }

    /// Up to the answer that is told here.
    @Test(arguments: [
        (0, "554 not you\r\n", "<later: it answered the connection with 554 not you>"),
        (1, "502 what?\r\n", "<later: it answered EHLO with 502 what?>"),
        (
            2, "535 5.7.8 bad password hunter2\r\n",
            "<later: it answered AUTH PLAIN with 535 [words that have a part of the password in them]>"
        ),
        (
            2, "535 AGdhdGUAaHVudGVyMg== no\r\n",
            "<later: it answered AUTH PLAIN with 535 [words that have a part of the password in them]>"
        ),
        // In two lines, without its end, and where the words are cut.
        (
            2, "535-AGdh\r\n535 dGUAaHVudGVyMg\r\n",
            "<later: it answered AUTH PLAIN with 535 [words that have a part of the password in them]>"
        ),
        (
            2, "535 \(String(repeating: "y", count: 292)) hunter2\r\n",
            "<later: it answered AUTH PLAIN with 535 [words that have a part of the password in them]>"
        ),
        (
            2, "535 \(String(repeating: "y", count: 400))\r\n",
            "<later: it answered AUTH PLAIN with 535 \(String(repeating: "y", count: 300))>"
        ),
        (3, "451 4.3.0 later\r\n", "<later: it answered MAIL FROM:<a@example.com> with 451 4.3.0 later>"),
        (3, "553 no\r\n", "<never: it answered MAIL FROM:<a@example.com> with 553 no>"),
        (4, "550 5.1.1 no such user\r\n", "<never: it answered RCPT TO:<b@example.com> with 550 5.1.1 no such user>"),
        (5, "450 greylisted\r\n", "<later: it answered RCPT TO:<c@example.com> with 450 greylisted>"),
        (6, "554 no valid recipients\r\n", "<never: it answered DATA with 554 no valid recipients>"),
        (7, "552-too\r\n552 large\r\n", "<never: it answered the message with 552 too large>"),
        (7, "421 closing\r\n", "<later: it answered the message with 421 closing>"),
    ])
    func refusalsAreToldInTheServersWords(place: Int, answer: String, outcome: String) throws {
        let good = [
            "220 x\r\n", Self.hello, "235 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
        ]
        let said = try Self.lines(
            Self.server(.implicitTLS, login: Self.login), nil, good.prefix(place) + [answer, "221 bye\r\n"])
        #expect(said.suffix(3) == [outcome, "QUIT↵", "<closes>"], "\(said)")
        #expect(!said.contains("<accepted>"))
    }

    @Test(arguments: [
        (0, "250 hello\r\n"), (0, "HTTP/1.1 400 Bad Request\r\n"), (1, "220 x\r\n"), (2, "334 \r\n"), (3, "354 go\r\n"),
        (6, "250 ok\r\n"), (7, "354 again\r\n"), (3, "250 ok\r\n250 ok\r\n"),
    ])
    func whatIsNoAnswerEndsIt(place: Int, answer: String) throws {
        let good = [
            "220 x\r\n", Self.hello, "235 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
        ]
        let said = try Self.lines(
            Self.server(.implicitTLS, login: Self.login), nil, good.prefix(place) + [answer, "250 more\r\n"])
        #expect(said.last == "<closes>" && said.count { $0.hasPrefix("<failed: ") } == 1, "\(said)")
        #expect(!said.contains("<accepted>"))
    }

    /// What was taken is not told to have failed, whatever comes then.
    @Test func anOutcomeIsToldOnce() throws {
        var conversation = SMTPConversation(
            server: Self.server(.none), errand: try Self.errand(), clientName: "[192.0.2.1]")
        for piece in ["220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "354 x\r\n"] {
            _ = conversation.received(Array(piece.utf8))
        }
        let last = conversation.received(Array("250 ok\r\n421 bye\r\n".utf8))
        #expect(last.first == .settle(.accepted))
        #expect(conversation.failed("the connection was closed") == [.close])
        #expect(conversation.failed("the connection was closed") == [])
        #expect(conversation.received(Array("250 x\r\n".utf8)) == [])
    }

    @Test(arguments: [
        (".\r\n..x\r\na.b\r\n", "..↵...x↵a.b↵.↵"), ("a", "a↵.↵"), ("", ".↵"), ("a\r\n.", "a↵..↵.↵"),
    ])
    func noLineOfAMailEndsIt(content: String, sent: String) throws {
        let said = try Self.lines(
            Self.server(.none), try Self.errand(content),
            ["220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "354 x\r\n"])
        #expect(said.last == (content.isEmpty ? "↵.↵" : sent))
    }
}
