import Testing
import TollgateConfiguration
import TollgateCore

@Suite struct AlertSettingsTests {
    private typealias Fixture = ConfigurationFixture

    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private static func problems(_ url: String?, _ secret: String?, allow: String? = nil) throws -> [String] {
        try Fixture.problems(
            with: [
                "TOLLGATE_ALERT_URL": url, "TOLLGATE_ALERT_SECRET": secret, "TOLLGATE_ALERT_ALLOW_PRIVATE": allow,
            ].compactMapValues(\.self)
        ).map(\.description)
    }

    @Test func bothOrNeither() throws {
        #expect(try Fixture.load().alerts == nil)
        let url = try Self.problems("https://hooks.example.com/x", nil)
        #expect(url.count == 1 && url[0].contains("TOLLGATE_ALERT_SECRET is not"), "\(url)")
        let secret = try Self.problems(nil, Self.secret)
        #expect(secret.count == 1 && secret[0].contains("TOLLGATE_ALERT_URL is not"), "\(secret)")
        #expect(!secret[0].contains("MfKQ"))
        let alerts = try #require(
            try Fixture.load(
                environment: Fixture.minimal.merging([
                    "TOLLGATE_ALERT_URL": "https://Hooks.example.com:8443/a?b=c", "TOLLGATE_ALERT_SECRET": Self.secret,
                ]) { $1 }
            ).alerts)
        let webhook = try #require(alerts.webhook)
        #expect(webhook.url.revealed == "https://hooks.example.com:8443/a?b=c")
        #expect(webhook.host == "hooks.example.com" && webhook.port == 8443 && !alerts.allowsPrivateNetworks)
        #expect(webhook.signingKey.count == 24 && alerts.channels == [.webhook])
    }

    @Test(arguments: ["whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64", "hunter2"])
    func oddSecretsAreRefused(secret: String) throws {
        let problems = try Self.problems("https://hooks.example.com", secret)
        #expect(problems.count == 1 && problems[0].contains("openssl rand -base64 32"), "\(problems)")
        #expect(!problems[0].contains("hunter2"))
    }

    @Test(arguments: [
        "http://localhost/x", "http://127.0.0.1:9000", "https://10.1.2.3", "https://169.254.169.254/latest",
        "http://[::1]/", "http://[fd00::1]/", "http://[::ffff:10.0.0.1]/", "http://192.168.1.1",
    ])
    func privateAddressesTakeAWord(url: String) throws {
        let problems = try Self.problems(url, Self.secret)
        #expect(problems.count == 1 && problems[0].contains("TOLLGATE_ALERT_ALLOW_PRIVATE=true"), "\(problems)")
        #expect(try Self.problems(url, Self.secret, allow: "true") == [])
        #expect(try Self.problems("http://93.184.215.14", Self.secret) == [])
    }

    @Test func plansSayWhenTheyTell() throws {
        let yaml = "plans:\n  free: {quota: 5}\n  a: {quota: 5, alerts: [100, 90]}\n  b: {quota: 5, alerts: []}\n"
        let plans = try Fixture.load(files: ["tollgate.yaml": yaml]).plans
        #expect(plans["free"]?.alerts.percents == [50, 80, 100])
        #expect(plans["a"]?.alerts.percents == [90, 100])
        #expect(plans["b"]?.alerts.percents == [])
        for odd in ["50", "[0]", "[50, x]", "[50, 50]", "{a: 1}", "[101]", "[1,2,3,4,5,6,7,8,9,10,11]"] {
            let problems = try Fixture.problems(yaml: "plans:\n  free: {quota: 5, alerts: \(odd)}\n")
            #expect(problems.count == 1 && problems[0].message.contains("no list of percents"), "\(odd): \(problems)")
        }
    }
}
