import Testing
import TollgateConfiguration

@Suite struct ConfigurationSecretTests {
    private typealias Fixture = ConfigurationFixture

    @Test func noDescriptionHoldsASecret() throws {
        let configuration = try Fixture.load(environment: Fixture.complete, files: ["redis.pem": "certificate"])
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(configuration.clerk, to: &dumped)
        dump(configuration.redis, to: &dumped)
        dump(configuration.stripe, to: &dumped)
        let texts = [
            configuration.describe().joined(), "\(configuration)", String(reflecting: configuration),
            "\(configuration.redis)", "\(configuration.stripe)", "\(configuration.clerk)",
            String(reflecting: configuration.clerk), dumped,
        ]
        for text in texts {
            #expect(!text.contains("hunter"), "\(text)")
        }
        let lines = configuration.describe()
        for name in ["REDIS_URL", "CLERK_SECRET_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"] {
            #expect(lines.contains("\(name) = set (environment variable \(name))"))
        }
        #expect(lines.contains("STRIPE_PRICE_ID = price_1 (environment variable STRIPE_PRICE_ID)"))
        #expect(try Fixture.load().describe().contains("STRIPE_SECRET_KEY is not set"))
    }

    /// Every setting, secret or not, with a secret in it that is wrong there: people mix their keys up.
    @Test(
        arguments: Setting.all,
        [
            "sk_live_hunter2 x", "rk_live_hunter2 x", "whsec_hunter2 x", "redis://a:hunter2@host:x",
            "-----BEGIN PRIVATE KEY----- hunter2",
        ])
    func noProblemHoldsASecret(_ setting: Setting, value: String) throws {
        let places = [
            try Fixture.problems(flags: [setting.name: value]),
            try Fixture.problems(with: [setting.name: value]),
            try Fixture.problems(files: [".env": "\(setting.name)='\(value)'"]),
            try Fixture.problems(yaml: setting.yaml(value)),
        ]
        for problem in places.joined() {
            #expect(!"\(problem)".contains("hunter2"))
            #expect(!String(reflecting: problem).contains("hunter2"))
        }
        // Only lists of any text take it: an audience may be what it likes.
        #expect(setting == .clerkAudiences || !places[1].isEmpty)
    }

    @Test func yamlErrorsDoNotQuoteTheFile() throws {
        for yaml in [
            "stripe: {secretKey: sk_live_hunter2", "redis:\n  url: 'redis://:hunter2@host\n",
            "clerk:\n  secretKey: sk_live_hunter2\n  secretKey: sk_live_hunter3\n", "port: 1\n\tsk_live_hunter2",
            "redis: sk_live_hunter2", "stripe: {secretKey:sk_live_hunter2}", "redis: {url:redis://:hunter2@host}",
            "stripe:\n  webhookSecret:\n  - {a: whsec_hunter2}\n",
        ] {
            let problems = try Fixture.problems(yaml: yaml)
            #expect(!problems.isEmpty)
            #expect(!InvalidConfiguration(problems: problems).description.contains("hunter"), "\(problems)")
        }
    }

    @Test func secretShowsThatItIsSet() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump([secret], to: &dumped)
        #expect("\(secret)" == "set")
        #expect(!dumped.contains("hunter2"))
        #expect(!String(reflecting: secret).contains("hunter2"))
        #expect(secret.revealed == "hunter2")
    }
}
