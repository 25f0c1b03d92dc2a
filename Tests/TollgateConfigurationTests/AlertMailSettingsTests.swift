import SMTPClient
import Testing
import TollgateConfiguration
import TollgateCore

@Suite struct AlertMailSettingsTests {
    private typealias Fixture = ConfigurationFixture

    private static let mailboxes = "from=alerts@example.com&to=ops@example.com"

    private static func configuration(_ url: String, allow: String? = nil) throws -> GatewayConfiguration {
        try Fixture.load(environment: Fixture.minimal.merging(environment(url, allow: allow)) { $1 })
    }

    private static func problems(_ url: String, allow: String? = nil) throws -> [String] {
        try Fixture.problems(with: environment(url, allow: allow)).map(\.description)
    }

    private static func environment(_ url: String, allow: String?) -> [String: String] {
        ["TOLLGATE_ALERT_SMTP_URL": url, "TOLLGATE_ALERT_ALLOW_PRIVATE": allow].compactMapValues(\.self)
    }

    @Test func allOfAURLIsRead() throws {
        let url =
            "smtp://us%40er:p%3A%25%2Fw+%C3%A9@Smtp.example.com:2525/?from=alerts@example.com&to=ops%2Bx@example.com,b+c@d.example"
        let configuration = try Self.configuration(url)
        let alerts = try #require(configuration.alerts)
        let mail = try #require(alerts.mail)
        #expect(alerts.channels == [.email] && alerts.webhook == nil && configuration.warnings.isEmpty)
        #expect(mail.server.host == "smtp.example.com" && mail.server.port == 2525 && mail.server.security == .startTLS)
        #expect(mail.server.login == .init(user: "us@er", password: "p:%/w+é") && !mail.server.isLoopback)
        #expect(mail.from.text == "alerts@example.com")
        #expect(mail.to.map(\.text) == ["ops+x@example.com", "b+c@d.example"])
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(mail, to: &dumped)
        #expect(!(configuration.describe().joined() + dumped).contains("%/w"))
    }

    @Test(arguments: [
        ("smtp://smtp.example.com?", SMTPServer.Security.startTLS, 587),
        ("smtps://smtp.example.com?", .implicitTLS, 465),
        ("smtps://smtp.example.com:587?", .implicitTLS, 587), ("SMTP://smtp.example.com:25?", .startTLS, 25),
        ("smtp://localhost?", .none, 587), ("smtp://127.0.0.1:1025?", .none, 1025), ("smtp://[::1]:25?", .none, 25),
        ("smtp://localhost?starttls=on&", .startTLS, 587), ("smtp://10.0.0.1?", .startTLS, 587),
        ("smtp://u:p@localhost?", .none, 587),
    ])
    func theSchemeAndTheHostSayHowItIsSecured(url: String, security: SMTPServer.Security, port: Int) throws {
        let configuration = try Self.configuration(url + Self.mailboxes, allow: "true")
        let server = try #require(configuration.alerts?.mail?.server)
        #expect(server.security == security && server.port == port)
        #expect(configuration.warnings.isEmpty)
    }

    @Test func withoutTLSIsToldOf() throws {
        let url = "smtp://smtp.example.com?starttls=off&" + Self.mailboxes
        let configuration = try Self.configuration(url)
        #expect(configuration.alerts?.mail?.server.security == SMTPServer.Security.none)
        #expect(configuration.warnings.count == 1 && configuration.warnings[0].message.contains("starttls=off"))
        let withLogin = try Self.problems("smtp://u:hunter2@smtp.example.com?starttls=off&" + Self.mailboxes)
        #expect(withLogin.count == 1 && withLogin[0].contains("password without TLS"), "\(withLogin)")
    }

    /// Each with what it is told, and nothing of the value, all of which may be a password.
    @Test(arguments: [
        ("hunter2", ["no smtp:// or smtps:// URL"]), ("https://hunter2.example.com", ["no smtp:// or smtps:// URL"]),
        ("smtp://hunter2 x", ["a blank"]), ("smtp://hünter2", ["a blank"]), ("smtp://u:p#hunter2@h?", ["holds a '#'"]),
        ("smtp://h.example?", ["names no sender", "names nobody"]),
        ("smtp://h.example", ["names no sender", "names nobody"]),
        ("smtp://u:p@hunter2@h.example?M", ["holds an '@'"]),
        (
            "smtp://u:p?hunter2@h.example?M",
            ["port that is not a number", "none of from, to and starttls", "names no sender"]
        ),
        ("smtp://hunter2@h.example?M", ["not user:password"]), ("smtp://:hunter2@h.example?M", ["not user:password"]),
        ("smtp://u:hunter2%0a@h.example?M", ["not user:password"]),
        ("smtp://u:hunter2%zz@h.example?M", ["not user:password"]),
        ("smtp://h.example:99999?M", ["port that is not a number"]),
        ("smtp://h.example:hunter2?M", ["port that is not a number"]),
        ("smtp://h_é.example?M", ["a blank"]), ("smtp://?M", ["no valid host"]),
        ("smtp://h.example/hunter2?M", ["holds a '/'"]),
        ("smtp://h.example?M&hunter2=1", ["none of from, to and starttls"]),
        ("smtp://h.example?M&to=hunter2@example.com", ["'to' twice"]),
        ("smtp://h.example?M&starttls=hunter2", ["neither on nor off"]),
        ("smtps://h.example?M&starttls=off", ["smtps:// has TLS"]),
        ("smtp://h.example?from=hunter2&to=hunter2", ["'from' that is no", "'to' with something"]),
        ("smtp://h.example?from=a@b.example%0d%0aBcc:hunter2@x.example&to=a@b.example", ["'from' that is no"]),
        ("smtp://h.example?from=a@b.example&to=a@b.example%0aBcc:x@y.example", ["'to' with something"]),
        (
            "smtp://h.example?from=%C3%A9@b.example&to=a@b.example,%00@x.example",
            ["'from' that is no", "'to' with something"]
        ),
        ("smtp://h.example?from=a@b.example,c@d.example&to=,", ["'from' that is no", "names nobody"]),
        (
            "smtp://u@h.example:0?from=x&hunter2",
            ["port that is not", "not user:password", "none of from", "'from' that", "nobody"]
        ),
    ])
    func allThatIsWrongIsTold(url: String, told: [String]) throws {
        let problems = try Self.problems(url.replacing("?M", with: "?" + Self.mailboxes))
        #expect(problems.count == told.count, "\(problems)")
        for (problem, words) in zip(problems, told) {
            #expect(problem.contains(words) && problem.contains("TOLLGATE_ALERT_SMTP_URL"), "\(words): \(problem)")
            #expect(!problem.contains("hunter2"))
        }
    }

    @Test func recipientsAreBounded() throws {
        let all = (1...21).map { "ops\($0)@example.com" }
        let url = "smtp://h.example?from=a@b.example&to="
        #expect(try Self.configuration(url + all.dropLast().joined(separator: ",")).alerts?.mail?.to.count == 20)
        let problems = try Self.problems(url + all.joined(separator: ","))
        #expect(problems.count == 1 && problems[0].contains("At most 20"), "\(problems)")
    }

    @Test(arguments: [
        "localhost", "127.0.0.1:1025", "10.1.2.3", "169.254.169.254", "[::1]", "[fd00::1]", "192.168.1.1",
    ])
    func privateAddressesTakeAWord(place: String) throws {
        let problems = try Self.problems("smtp://\(place)?" + Self.mailboxes)
        #expect(problems.count == 1 && problems[0].contains("TOLLGATE_ALERT_ALLOW_PRIVATE=true"), "\(problems)")
        #expect(try Self.problems("smtp://\(place)?" + Self.mailboxes, allow: "true") == [])
    }

    @Test func bothReceiversMayBeSet() throws {
        let alerts = try Fixture.load(
            environment: Fixture.minimal.merging([
                "TOLLGATE_ALERT_SMTP_URL": "smtp://h.example?" + Self.mailboxes,
                "TOLLGATE_ALERT_URL": "https://hooks.example.com",
                "TOLLGATE_ALERT_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ]) { $1 }
        ).alerts
        #expect(alerts?.channels == [.webhook, .email])
    }
}
