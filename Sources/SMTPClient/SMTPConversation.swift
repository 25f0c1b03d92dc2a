/// How a conversation with a mail server has ended.
package enum SMTPOutcome: Sendable, Hashable {
    /// The server has taken the mail; where none was to be sent, it is ready to.
    case accepted

    /// The server has said no.
    case refused(SMTPRefusal)

    /// There was no conversation, or it broke.
    ///
    /// - Parameter reason: A clause.
    case failed(reason: String)
}

/// What a server refuses, and in what words.
package struct SMTPRefusal: Sendable, Hashable, CustomStringConvertible {
    /// What was asked, such as `RCPT TO:<ops@example.com>`.
    package let request: String
    package let code: Int

    /// The server's words: one line, cut, and without what we have told it as a secret.
    package let text: String

    /// The mail itself is refused, and would be again. What is refused before it, such as a login, is not the mail's fault.
    package let isPermanent: Bool

    /// A clause.
    package var description: String { "it answered \(request) with \(code) \(text)" }
}

/// A conversation with a mail server (RFC 5321), as a value: bytes go in, and what is to be done comes out. One command is
/// answered before the next is sent, so whatever comes without having been asked for ends it: what an attacker puts behind the
/// answer to STARTTLS would be taken for the secured server's otherwise.
package struct SMTPConversation: Sendable {
    /// What it is for.
    package enum Errand: Sendable, Hashable {
        /// Whether the server is ready to take mail: nothing is sent.
        case check
        /// - Parameter content: A message with its headers.
        case deliver(from: MailAddress, to: [MailAddress], content: [UInt8])
    }

    /// What is to be done, in this order.
    package enum Action: Sendable, Hashable {
        case send([UInt8])
        /// Begins TLS; then ``SMTPConversation/secured()``.
        case startTLS
        /// The outcome is known. Told once.
        case settle(SMTPOutcome)
        case close
    }

    /// What is waited for: the answer to this.
    private enum Phase: Sendable, Hashable {
        case greeting, hello, startTLS, handshake, authPlain, authLogin, authLoginUser, authLoginPassword, mailFrom
        case recipient(Int)
        case data, content
        /// The outcome is settled.
        case quit, over
    }

    private let server: SMTPServer
    private let errand: Errand
    private let clientName: String
    private var phase: Phase = .greeting
    private var isSecure: Bool
    private var reader = SMTPReplyReader()

    /// - Parameter clientName: What EHLO says: a name, or an address in brackets.
    package init(server: SMTPServer, errand: Errand, clientName: String) {
        self.server = server
        self.errand = errand
        self.clientName = clientName
        isSecure = server.security == .implicitTLS
    }

    // MARK: What happens

    /// The server has sent something.
    package mutating func received(_ bytes: some Collection<UInt8>) -> [Action] {
        guard phase != .over else { return [] }
        guard phase != .handshake else { return fail("it spoke out of turn") }
        for (place, byte) in bytes.enumerated() {
            do throws(SMTPReplyReader.Malformed) {
                guard let reply = try reader.read(byte) else { continue }
                let actions = answer(to: reply)
                // What is settled stays so, whatever else it says.
                guard place + 1 < bytes.count, phase != .quit, phase != .over else { return actions }
                return fail("it spoke out of turn")
            } catch {
                return fail(error.reason)
            }
        }
        return []
    }

    /// The handshake of TLS has ended well.
    package mutating func secured() -> [Action] {
        guard phase == .handshake else { return [] }
        isSecure = true
        return sayHello()
    }

    /// It cannot go on.
    ///
    /// - Parameter reason: A clause.
    package mutating func failed(_ reason: String) -> [Action] { fail(reason) }

    // MARK: Answers

    private mutating func answer(to reply: SMTPReply) -> [Action] {
        switch (phase, reply.code) {
        case (.greeting, 220): sayHello()
        case (.hello, 250): authenticate(with: Capabilities(reply))
        case (.startTLS, 220):
            wait(.handshake, [.startTLS])
        case (.authPlain, 235), (.authLoginPassword, 235): begin()
        case (.authLogin, 334): ask(SMTPServer.base64(server.login?.user ?? ""), .authLoginUser)
        case (.authLoginUser, 334): ask(SMTPServer.base64(server.login?.password ?? ""), .authLoginPassword)
        case (.mailFrom, 200..<300): name(recipient: 0)
        case (.recipient(let place), 200..<300): name(recipient: place + 1)
        case (.data, 354): sendContent()
        case (.content, 200..<300): settle(.accepted)
        case (.quit, _): wait(.over, [.close])
        case (_, 400..<600): settle(.refused(refusal(reply)))
        default: fail("it answered \(request) with \(reply.code), which is no answer to that")
        }
    }

    private mutating func sayHello() -> [Action] { ask("EHLO \(clientName)", .hello) }

    /// What the server can do.
    private struct Capabilities {
        let startTLS: Bool
        let mechanisms: Set<String>

        /// The first line is its name.
        init(_ reply: SMTPReply) {
            let lines = reply.lines.dropFirst().map { $0.uppercased().split(separator: " ").map(String.init) }
            startTLS = lines.contains { $0.first == "STARTTLS" }
            mechanisms = Set(lines.filter { $0.first == "AUTH" }.flatMap { $0.dropFirst() })
        }
    }

    private mutating func authenticate(with capabilities: Capabilities) -> [Action] {
        if server.security == .startTLS, !isSecure {
            guard capabilities.startTLS else { return giveUp("it does not offer STARTTLS") }
            return ask("STARTTLS", .startTLS)
        }
        guard let login = server.login else { return begin() }
        guard isSecure || server.isLoopback else { return giveUp("no password is told without TLS") }
        if capabilities.mechanisms.contains("PLAIN") {
            return ask("AUTH PLAIN " + server.plainToken(of: login), .authPlain)
        }
        if capabilities.mechanisms.contains("LOGIN") { return ask("AUTH LOGIN", .authLogin) }
        return giveUp("it offers neither AUTH PLAIN nor AUTH LOGIN")
    }

    private mutating func begin() -> [Action] {
        guard case .deliver(let from, _, _) = errand else { return settle(.accepted) }
        return ask("MAIL FROM:<\(from)>", .mailFrom)
    }

    /// All of them are taken, or nothing is sent: nobody would know whom it has reached.
    private mutating func name(recipient place: Int) -> [Action] {
        guard case .deliver(_, let recipients, _) = errand, place < recipients.count else {
            return ask("DATA", .data)
        }
        return ask("RCPT TO:<\(recipients[place])>", .recipient(place))
    }

    private mutating func sendContent() -> [Action] {
        guard case .deliver(_, _, let content) = errand else { return fail("there is nothing to send") }
        return wait(.content, [.send(Self.ended(content))])
    }

    /// A line that begins with a dot gets another one, and a dot alone is the end (RFC 5321, section 4.5.2).
    private static func ended(_ content: [UInt8]) -> [UInt8] {
        let (dot, newline) = (UInt8(ascii: "."), UInt8(ascii: "\n"))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(content.count + 8)
        for byte in content {
            if byte == dot, bytes.isEmpty || bytes.last == newline { bytes.append(dot) }
            bytes.append(byte)
        }
        if bytes.last != newline { bytes += "\r\n".utf8 }
        return bytes + ".\r\n".utf8
    }

    // MARK: Ends

    private mutating func settle(_ outcome: SMTPOutcome) -> [Action] {
        [.settle(outcome)] + ask("QUIT", .quit)
    }

    private mutating func giveUp(_ reason: String) -> [Action] { settle(.failed(reason: reason)) }

    private mutating func fail(_ reason: String) -> [Action] {
        switch phase {
        case .over: []
        case .quit: wait(.over, [.close])
        default: wait(.over, [.settle(.failed(reason: server.withoutSecrets(reason))), .close])
        }
    }

    /// It goes to a log.
    private static let maximumRefusalLength = 300

    private func refusal(_ reply: SMTPReply) -> SMTPRefusal {
        SMTPRefusal(
            request: request, code: reply.code,
            // Cut behind the look for secrets, which finds no part of one that is too short.
            text: String(server.withoutSecrets(reply.text).prefix(Self.maximumRefusalLength)),
            isPermanent: reply.code >= 500 && concernsMail)
    }

    private mutating func ask(_ command: String, _ phase: Phase) -> [Action] {
        wait(phase, [.send(Array((command + "\r\n").utf8))])
    }

    private mutating func wait(_ phase: Phase, _ actions: [Action]) -> [Action] {
        self.phase = phase
        return actions
    }

    // MARK: What is asked

    /// What the server is asked, without what is secret of it.
    private var request: String {
        switch (phase, errand) {
        case (.greeting, _): "the connection"
        case (.hello, _): "EHLO"
        case (.startTLS, _), (.handshake, _): "STARTTLS"
        case (.authPlain, _): "AUTH PLAIN"
        case (.authLogin, _), (.authLoginUser, _), (.authLoginPassword, _): "AUTH LOGIN"
        case (.mailFrom, .deliver(let from, _, _)): "MAIL FROM:<\(from)>"
        case (.recipient(let place), .deliver(_, let recipients, _)): "RCPT TO:<\(recipients[place])>"
        case (.data, _): "DATA"
        case (.content, _): "the message"
        default: "QUIT"
        }
    }

    private var concernsMail: Bool {
        switch phase {
        case .mailFrom, .recipient, .data, .content: true
        default: false
        }
    }
}
