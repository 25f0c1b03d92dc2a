import ClerkAuth
import Logging
import StripeBilling
import Testing
import TollgateConfiguration
import TollgateCore

@Suite struct ConfigurationValuesTests {
    private typealias Fixture = ConfigurationFixture

    @Test(arguments: [(1, 2, 1), (2, 2, 2), (4, 2, 4), (5, 2, 4), (256, 2, 4), (256, 192, 256), (3, 0, 2)])
    func threadsBeyondTwoForEachCoreAreNotStarted(wanted: Int, cores: Int, count: Int) {
        #expect(GatewayConfiguration.eventLoopCount(wanted: wanted, cores: cores) == count)
    }

    @Test func everySettingArrives() throws {
        let configuration = try Fixture.load(environment: Fixture.complete, files: ["redis.pem": "certificate"])
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 1001)
        #expect(configuration.adminHost == "::1")
        #expect(configuration.adminPort == 1002)
        #expect(configuration.threads == 3)
        #expect(configuration.logLevel == .debug)
        #expect(configuration.drainSeconds == 7)
        #expect(configuration.bodyLimitBytes == 2048)
        #expect(configuration.headerLimitBytes == 4096)
        #expect(configuration.idleTimeoutSeconds == 9)
        #expect(configuration.redis.url.revealed == "rediss-sentinel://gate@redis.example.com:26380/mymaster/1")
        #expect(configuration.redis.passwordFile?.path.hasSuffix("/redis.pem") == true)
        #expect(configuration.redis.sentinelLogin?.username == "watcher")
        #expect(configuration.redis.sentinelLogin?.password.revealed == "hunter2")
        #expect(configuration.redis.authorityFile?.hasSuffix("/redis.pem") == true)
        #expect(configuration.redis.certificateFile == configuration.redis.authorityFile)
        #expect(configuration.redis.keyFile == configuration.redis.authorityFile)
        #expect(configuration.redis.timeoutMilliseconds == 111)
        #expect(configuration.clerk.secretKey?.revealed == "sk_test_hunter2")
        #expect(configuration.clerk.apiURL == "https://clerk.example.com")
        #expect(configuration.clerk.configuration.issuer == "https://issuer.example.com")
        #expect(configuration.clerk.configuration.authorizedParties == ["https://a.example", "https://b.example"])
        #expect(configuration.clerk.configuration.audiences == ["one", "two"])
        #expect(configuration.stripe.secretKey?.revealed == "rk_live_hunter2")
        #expect(configuration.stripe.prices.price(ofPlan: "paid") == "price_1")
        #expect(configuration.stripe.pastDueGraceDays == 3)
        #expect(configuration.stripe.unknownPrice == .keep)
        #expect(configuration.stripe.webhookSecrets.map(\.revealed) == ["whsec_hunter2", "whsec_hunter3"])
        #expect(configuration.stripe.apiURL == "http://127.0.0.1:4010")
        #expect(configuration.frontendURL == "https://app.example.com")
        #expect(configuration.cors.origins == ["capacitor://localhost", "http://localhost:5173"])
        #expect(configuration.cors.originPatterns == ["https://*.preview.example.com"])
    }

    /// The best source of keys wins; the secret goes to the Backend API only.
    @Test func keySourceIsTheBestThatIsGiven() throws {
        var environment = [
            "REDIS_URL": "unix:///run/redis.sock", "CLERK_JWT_KEY": Fixture.pem,
            "CLERK_JWKS_URL": "https://keys.example.com/jwks.json", "CLERK_PUBLISHABLE_KEY": Fixture.publishableKey,
            "CLERK_SECRET_KEY": "sk_test_hunter2",
        ]
        let expected: [(ClerkConfiguration.KeySource, without: String)] = [
            (.pem(Fixture.pem), without: "CLERK_JWT_KEY"),
            (.jwks(url: "https://keys.example.com/jwks.json", bearerSecret: nil), without: "CLERK_JWKS_URL"),
            (
                .jwks(url: "https://clerk.example.com/.well-known/jwks.json", bearerSecret: nil),
                without: "CLERK_PUBLISHABLE_KEY"
            ),
            (.jwks(url: "https://api.clerk.com/v1/jwks", bearerSecret: "sk_test_hunter2"), without: "CLERK_SECRET_KEY"),
        ]
        for (source, used) in expected {
            let clerk = try Fixture.load(environment: environment).clerk.configuration
            #expect(clerk.keySource == source)
            #expect(clerk.issuer == (environment["CLERK_PUBLISHABLE_KEY"].map { _ in "https://clerk.example.com" }))
            environment[used] = nil
        }
        #expect(try Fixture.problems(environment: environment).count == 1)
    }

    @Test func yamlTakesListsAndGroups() throws {
        let yaml = """
            redis: {url: "redis://redis:6379", timeoutMs: 500}
            clerk:
              publishableKey: \(Fixture.publishableKey)
              authorizedParties:
                - https://a.example
                - https://b.example
            """
        let configuration = try Fixture.load(environment: [:], files: ["tollgate.yaml": yaml])
        #expect(configuration.redis.timeoutMilliseconds == 500)
        #expect(configuration.clerk.configuration.authorizedParties == ["https://a.example", "https://b.example"])
    }

    @Test func plansComeFromYAMLInItsOrder() throws {
        let yaml = """
            plans:
              pro: {quota: 10000, ratePerMinute: 600}
              free: {quota: 0}
            """
        let configuration = try Fixture.load(files: ["tollgate.yaml": yaml])
        #expect(
            configuration.plans.plans == [
                Plan(name: "pro", quota: 10_000, ratePerMinute: 600), Plan(name: "free", quota: 0, ratePerMinute: 100),
            ])
        #expect(configuration.describe().contains("plans.pro = 10000 a month, 600 a minute (tollgate.yaml:2)"))
    }

    @Test(arguments: ["0.0.0.0", "::", "localhost", "gate_1.example.com", "fe80::1%eth0"])
    func hostsToListenOn(_ host: String) throws {
        #expect(try Fixture.load(environment: Fixture.minimal.merging(["TOLLGATE_HOST": host]) { $1 }).host == host)
    }
}
