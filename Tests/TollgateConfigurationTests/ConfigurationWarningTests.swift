import Testing
import TollgateConfiguration

/// A configuration that works by halves is told of, and keeps no worker from starting.
@Suite struct ConfigurationWarningTests {
    private static func warnings(
        _ variables: [String: String] = [:], files: [String: String] = [:]
    ) throws -> [ConfigurationProblem] {
        try ConfigurationFixture.load(
            environment: ConfigurationFixture.minimal.merging(variables) { $1 }, files: files
        ).warnings
    }

    @Test func nothingIsSaidOfAWholeConfiguration() throws {
        #expect(try Self.warnings() == [])
        let complete = try ConfigurationFixture.load(
            environment: ConfigurationFixture.complete, files: ["redis.pem": "x"])
        #expect(complete.warnings == [])
    }

    @Test func stripeWithoutItsWebhooks() throws {
        let warnings = try Self.warnings([
            "STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_PRICE_ID": "price_1", "FRONTEND_URL": "https://app.example.com",
            "CLERK_SECRET_KEY": "sk_test_hunter2",
        ])
        #expect(warnings.places == ["environment variable STRIPE_SECRET_KEY"])
        #expect(
            warnings[0].message
                == "it is set, and STRIPE_WEBHOOK_SECRET is not: checkouts answer 501, and nothing that Stripe knows "
                + "reaches a plan")
    }

    @Test func aPriceWithoutStripe() throws {
        let warnings = try Self.warnings(files: [".env": "STRIPE_PRICE_ID=price_1\n"])
        #expect(warnings.places == [".env:1", ".env:1"])
        #expect(
            warnings[0].message.hasPrefix(
                "STRIPE_PRICE_ID is set, and STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, FRONTEND_URL are not"))
        #expect(warnings[1].message.contains("CLERK_SECRET_KEY is not"))
    }

    @Test(arguments: [
        ("TOLLGATE_PROT", "TOLLGATE_PORT"), ("TOLGATE_PORT", "TOLLGATE_PORT"), ("REDIS_URI", "REDIS_URL"),
        ("STRIPE_WEBHOOKS_SECRET", "STRIPE_WEBHOOK_SECRET"), ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("redis_url", "REDIS_URL"), ("CLERK_PUBLISHABLE_KYE", "CLERK_PUBLISHABLE_KEY"),
    ])
    func aNameThatNearlyIsASetting(name: String, meant: String) throws {
        let inEnvironment = try Self.warnings([name: "81"])
        #expect(inEnvironment.places == ["environment variable \(name)"])
        #expect(inEnvironment.first?.remedy == "Did you mean '\(meant)'?")
        #expect(try Self.warnings(files: [".env": "# a comment\n\(name)=81\n"]).places == [".env:2"])
        // As compose passes on what is not set.
        #expect(try Self.warnings([name: ""]) == [])
    }

    /// Other programs have variables as well.
    @Test(arguments: [
        "PATH", "HOST", "PORT", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "CLERK_WEBHOOK_SECRET",
        "STRIPE_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "FRONTEND_PORT", "TOLLGATE_SERVICE_HOST",
        "TOLLGATE_PORT_8080_TCP_ADDR", "TOLLGATE_PUBLIC_PORT", "DATABASE_URL",
    ])
    func namesOfOthersAreLeftAlone(name: String) throws { #expect(try Self.warnings([name: "1"]) == []) }

    /// No value is told: it may be a secret.
    @Test func noValueIsTold() throws {
        let warnings = try Self.warnings(["STRIPE_SECRET_KEYS": "sk_live_hunter2"])
        #expect(warnings.count == 1 && !"\(warnings)".contains("hunter2"))
    }
}
