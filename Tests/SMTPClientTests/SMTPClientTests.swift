import JSONValue
import NIOCore
import NIOPosix
import NIOSSL
import SMTPClient
import TestSupport
import Testing

/// The client at a server that others have written.
@Suite(.timeLimit(.minutes(2))) struct SMTPClientTests {
    private static let login = SMTPServer.Login(user: "gate", password: "pä ss:w%rd")

    /// Authorities that are believed.
    private static func trusting(_ directory: String) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(directory + "/ca.crt")
        return tls
    }

    private static func client(
        _ port: Int, _ security: SMTPServer.Security = .none, login: SMTPServer.Login? = nil,
        host: String = "localhost",
        tls: TLSConfiguration = .makeClientConfiguration(), timeLimit: TimeAmount = .seconds(20)
    ) throws -> SMTPClient {
        try SMTPClient(
            server: SMTPServer(host: host, port: port, security: security, login: login, isLoopback: true), tls: tls,
            timeLimit: timeLimit, eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
    }

    private static func address(_ port: Int) throws -> SocketAddress {
        try SocketAddress(ipAddress: "127.0.0.1", port: port)
    }

    private static func mail(_ text: String = "Hello.\n", to: [String] = ["ops@example.com"]) throws -> MailMessage {
        MailMessage(
            from: try #require(MailAddress("alerts@example.com")), to: try to.map { try #require(MailAddress($0)) },
            subject: "A subject", id: "msg_1", date: "Sun, 29 Nov 2026 14:23:55 +0000", text: text)
    }

    private static func send(_ client: SMTPClient, _ mail: MailMessage, _ port: Int) async throws -> SMTPOutcome {
        await client.send(mail, at: try address(port))
    }

    @Test func aMailArrivesAsItWasMeant() async throws {
        try await MailServer.with { server in
            let text = "é = ü\n.\n..\nFrom here \n" + String(repeating: "long ", count: 400) + "\n"
            let mail = try Self.mail(text, to: ["ops@example.com", "b@example.com"])
            let outcome = try await Self.send(try Self.client(server.port), mail, server.port)
            #expect(outcome == .accepted)
            let got = try #require(server.mails.first)
            #expect(server.mails.count == 1 && got.recipients == ["ops@example.com", "b@example.com"])
            #expect(got.text.replacing("\r\n", with: "\n").hasPrefix(text), "\(got.text)")
            #expect(got.json["defects"].elements == [] && (got.json["longest"].integer ?? 999) <= 76)
            #expect(got.headers("Message-ID") == ["<msg_1@example.com>"])
            #expect(got.headers("To") == ["ops@example.com, b@example.com"])
            #expect(got.headers("Date") == ["Sun, 29 Nov 2026 14:23:55 +0000"])
            #expect(got.headers("Auto-Submitted") == ["auto-generated"])
            #expect(got.json["clientName"].string == "[127.0.0.1]")
        }
    }

    @Test(arguments: [true, false]) func connectionsAreSecuredAndLoggedInto(usesStartTLS: Bool) async throws {
        try await withTemporaryDirectory { directory in
            try await TestCertificates.make(in: directory)
            let (security, ours): (MailServer.Security, SMTPServer.Security) =
                usesStartTLS
                ? (.startTLS(certificates: directory), .startTLS)
                : (.implicitTLS(certificates: directory), .implicitTLS)
            try await MailServer.with(security, login: (Self.login.user, Self.login.password)) { server in
                let client = try Self.client(
                    server.port, ours, login: Self.login, tls: Self.trusting(directory))
                #expect(await client.check(at: try Self.address(server.port)) == .accepted)
                #expect(server.mails.isEmpty, "a check sends nothing")
                let outcome = try await Self.send(client, try Self.mail(), server.port)
                #expect(outcome == .accepted)
                let mail = try #require(server.mails.first)
                #expect(mail.json["isSecure"].bool == true && mail.json["login"].string == "gate")

                let wrong = try Self.client(
                    server.port, ours, login: .init(user: "gate", password: "hunter2"), tls: Self.trusting(directory))
                guard case .refused(let refusal) = await wrong.check(at: try Self.address(server.port)) else {
                    Issue.record("a wrong password was taken")
                    return
                }
                #expect(refusal.code == 535 && !refusal.isPermanent && refusal.request == "AUTH PLAIN")
                #expect(!"\(refusal)".contains("hunter2"))
            }
        }
    }

    /// An attacker in the middle has another certificate, or one for another name.
    @Test(arguments: [true, false]) func aWrongCertificateIsToldNothing(isForAnotherName: Bool) async throws {
        try await withTemporaryDirectory { directory in
            try await TestCertificates.make(
                in: directory, for: isForAnotherName ? "DNS:other.example" : "DNS:localhost")
            try await MailServer.with(.startTLS(certificates: directory), login: ("gate", "hunter2")) { server in
                let client = try Self.client(
                    server.port, .startTLS, login: .init(user: "gate", password: "hunter2"),
                    tls: isForAnotherName ? Self.trusting(directory) : .makeClientConfiguration())
                let outcome = try await Self.send(client, try Self.mail(), server.port)
                guard case .failed(let reason) = outcome else {
                    Issue.record("\(outcome)")
                    return
                }
                #expect(reason.contains("certificate"), "\(reason)")
                #expect(server.mails.isEmpty)
            }
        }
    }

    @Test func aServerWithoutTLSIsToldNothing() async throws {
        try await MailServer.with { server in
            let client = try Self.client(server.port, .startTLS, login: Self.login)
            #expect(
                try await Self.send(client, try Self.mail(), server.port)
                    == .failed(reason: "it does not offer STARTTLS"))
            let other = try await Self.send(try Self.client(server.port, .implicitTLS), try Self.mail(), server.port)
            guard case .failed = other else {
                Issue.record("\(other)")
                return
            }
            #expect(server.mails.isEmpty)
        }
    }

    @Test func whatTheServerRefusesIsToldInItsWords() async throws {
        try await MailServer.with { server in
            let client = try Self.client(server.port)
            try server.answer(["DATA 451 4.3.0 come back later", "RCPT 550 5.1.1 no such user"])
            let first = try await Self.send(client, try Self.mail(), server.port)
            guard case .refused(let later) = first else {
                Issue.record("\(first)")
                return
            }
            #expect(later.code == 451 && later.text == "4.3.0 come back later" && !later.isPermanent)
            let second = try await Self.send(client, try Self.mail(to: ["a@b.example", "c@d.example"]), server.port)
            guard case .refused(let never) = second else {
                Issue.record("\(second)")
                return
            }
            #expect(never.isPermanent && never.request == "RCPT TO:<a@b.example>")
            #expect(server.mails.isEmpty)
        }
    }

    /// One that says nothing, one that is not there, and one that hangs up.
    @Test(.tags(.measuresTime)) func whatDoesNotAnswerFails() async throws {
        let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(silent.localAddress?.port)
        let start = ContinuousClock.now
        let client = try Self.client(port, timeLimit: .milliseconds(300))
        #expect(try await Self.send(client, try Self.mail(), port) == .failed(reason: "it did not answer in time"))
        #expect(ContinuousClock.now - start < .seconds(5))
        try await silent.close()
        let gone = try await Self.send(client, try Self.mail(), port)
        #expect(gone == .failed(reason: "the connection was refused: nothing listens there"))
        let rude = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { $0.close() }
            .bind(host: "127.0.0.1", port: 0).get()
        let place = try #require(rude.localAddress?.port)
        guard case .failed = try await Self.send(try Self.client(place), try Self.mail(), place) else {
            Issue.record("a server that hangs up took a mail")
            return
        }
        try await rude.close()
    }
}
