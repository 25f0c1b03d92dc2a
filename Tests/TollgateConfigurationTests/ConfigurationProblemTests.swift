import FoundationEssentials
import StripeBilling
import Testing
import TollgateConfiguration

@Suite struct ConfigurationProblemTests {
    private typealias Fixture = ConfigurationFixture

    @Test func billingIsCheckedAsAWhole() throws {
        let noPaid = ["tollgate.yaml": "plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceId: price_1}\n"]
        let unsold = try Fixture.problems(
            environment: Fixture.minimal.merging(["STRIPE_PRICE_ID": "price_2"]) { $1 }, files: noPaid)
        #expect(unsold.map(\.message) == ["'price_2' sells the plan 'paid', which is not among the plans"])
        let twice = try Fixture.problems(
            environment: Fixture.minimal.merging(["STRIPE_PRICE_ID": "price_1"]) { $1 },
            files: [
                "tollgate.yaml": "plans:\n  free: {quota: 5}\n  paid: {quota: 5}\n  pro: {quota: 6, priceId: price_1}"
            ])
        #expect(twice.map(\.message) == ["'price_1' is the priceId of the plan 'pro' too"])
        let keyless = try Fixture.problems(
            environment: Fixture.minimal.merging(["STRIPE_WEBHOOK_SECRET": "whsec_1"]) { $1 })
        #expect(keyless.map(\.message) == ["the value is set and STRIPE_SECRET_KEY is not"])
        let prices = try Fixture.load(
            environment: Fixture.minimal.merging(["STRIPE_PRICE_ID": "price_2"]) { $1 },
            files: [
                "tollgate.yaml": "plans:\n  free: {quota: 5}\n  paid: {quota: 5}\n  pro: {quota: 6, priceId: price_1}"
            ]
        ).stripe.prices
        #expect(prices.plans == ["paid", "pro"])
        #expect(prices.price(ofPlan: "pro") == "price_1")
        #expect(prices.price(ofPlan: "paid") == "price_2")
    }

    @Test func aPlanHasSeveralPricesAndSellsTheFirst() throws {
        let yaml =
            "plans:\n  pro: {quota: 6, priceIds: [price_1, price_year, plan_old]}\n  free: {quota: 5}\n"
            + "  paid: {quota: 5, priceIds: [price_3, price_2]}\n"
        let prices = try Fixture.load(
            environment: Fixture.minimal.merging(["STRIPE_PRICE_ID": "price_2"]) { $1 }, files: ["tollgate.yaml": yaml]
        ).stripe.prices
        #expect(prices.plans == ["pro", "paid"], "in the order of the table")
        #expect(prices.price(ofPlan: "pro") == "price_1")
        #expect(prices.price(ofPlan: "paid") == "price_2", "the setting's is sold")
        for (price, plan) in [("price_year", "pro"), ("plan_old", "pro"), ("price_3", "paid"), ("price_4", nil)]
            as [(String, String?)]
        {
            #expect(prices.plan(soldBy: [price]) == plan)
        }
        #expect(prices.plan(soldBy: ["price_1", "price_2"]) == "paid", "which stands later")
    }

    @Test(arguments: ["price_a, price_b", "price_a,price_b", "prod_1", "price_", "price_a b", "{price_a}"])
    func thePriceIsOne(value: String) throws {
        let problems = try Fixture.problems(with: ["STRIPE_PRICE_ID": value])
        #expect(problems.places == ["environment variable STRIPE_PRICE_ID"], "\(problems)")
        #expect(problems.first?.message.contains("is not the ID of one price") == true)
        #expect(problems.first?.remedy.contains("priceIds: [price_1, price_2]") == true)
    }

    @Test func unknownPricesHaveARule() throws {
        #expect(try Fixture.load().stripe.unknownPrice == .free)
        let kept = try Fixture.load(environment: Fixture.minimal.merging(["STRIPE_UNKNOWN_PRICE": "keep"]) { $1 })
        #expect(kept.stripe.unknownPrice == .keep)
        let problems = try Fixture.problems(with: ["STRIPE_UNKNOWN_PRICE": "drop"])
        #expect(problems.map(\.message) == ["'drop' is neither free nor keep"])
    }

    @Test func nothingSetReportsBothNeedsAtOnce() throws {
        let problems = try Fixture.problems(environment: [:])
        #expect(problems.places == ["environment variable REDIS_URL", "environment variable CLERK_PUBLISHABLE_KEY"])
        #expect(problems[0].remedy.contains("redis://localhost:6379"))
        for name in ["CLERK_JWT_KEY", "CLERK_JWKS_URL", "CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY"] {
            #expect(problems[1].remedy.contains(name))
        }
    }

    @Test func problemIsOneLine() {
        let problem = ConfigurationProblem(place: "flag --port", message: "'x' is no number", remedy: "Give one.")
        #expect(problem.description == "flag --port: 'x' is no number. Give one.")
        #expect(InvalidConfiguration(problems: [problem, problem]).description.split(separator: "\n").count == 2)
    }

    @Test func everythingIsReportedAtOnce() throws {
        let problems = try Fixture.problems(
            flags: ["TOLLGATE_PORT": "high", "TOLLGATE_PROT": "1"],
            environment: ["REDIS_URL": "http://redis", "CLERK_SECRET_KEY": "hunter2", "TOLLGATE_THREADS": "0"],
            files: [
                ".env": "FRONTEND_URL=https://example.com/app\nno assignment\n",
                "tollgate.yaml": "logLevel: loud\nadmin: {prt: 1}\nplans: {paid: {quota: -1}}\n",
            ])
        #expect(
            problems.places.sorted() == [
                ".env:1", ".env:2", "environment variable CLERK_SECRET_KEY", "environment variable REDIS_URL",
                "environment variable TOLLGATE_THREADS", "flag --port", "flag TOLLGATE_PROT", "tollgate.yaml:1",
                "tollgate.yaml:2", "tollgate.yaml:3", "tollgate.yaml:3",
            ])
        #expect(problems.first { $0.place == "flag TOLLGATE_PROT" }?.remedy == "Did you mean 'TOLLGATE_PORT'?")
    }

    /// A value that cannot be used is named with its place and what may stand there.
    @Test(arguments: [
        ("TOLLGATE_PORT", "65536"), ("TOLLGATE_PORT", "-1"), ("TOLLGATE_PORT", "80.5"), ("TOLLGATE_ADMIN_PORT", "x"),
        ("TOLLGATE_THREADS", "0"), ("TOLLGATE_THREADS", "257"), ("TOLLGATE_LOG_LEVEL", "loud"),
        ("TOLLGATE_DRAIN_SECONDS", "301"), ("TOLLGATE_BODY_LIMIT_BYTES", "10"),
        ("TOLLGATE_HEADER_LIMIT_BYTES", "many"), ("TOLLGATE_IDLE_TIMEOUT_SECONDS", "0"),
        ("REDIS_TIMEOUT_MS", "9"), ("TOLLGATE_HOST", "0.0.0.0:8080"), ("TOLLGATE_ADMIN_HOST", "http://x"),
        ("TOLLGATE_ADMIN_PORT", "8080"), ("REDIS_URL", "localhost:6379"), ("REDIS_URL", "http://localhost"),
        ("REDIS_CA_FILE", "ca.pem"),
        ("CLERK_SECRET_KEY", "pk_test_x"), ("CLERK_PUBLISHABLE_KEY", "pk_test_x"),
        ("CLERK_JWT_KEY", "MIIBIjAN"), ("CLERK_JWKS_URL", "keys.example.com"), ("CLERK_JWKS_URL", "ftp://example.com"),
        ("CLERK_ISSUER", "https://"), ("CLERK_API_URL", "https://api.clerk.com?x=1"),
        ("CLERK_API_URL", "https://api.clerk.com:0"), ("CLERK_AUTHORIZED_PARTIES", "example.com"),
        ("CLERK_AUTHORIZED_PARTIES", "https://example.com/path"),
        ("STRIPE_SECRET_KEY", "pk_live_x"), ("STRIPE_SECRET_KEY", "sk_live_"), ("STRIPE_PRICE_ID", "prod_1"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_a,b"), ("STRIPE_API_URL", "https://api .stripe.com"),
        ("FRONTEND_URL", "https://example.com/app"), ("FRONTEND_URL", "capacitor://localhost"),
        ("FRONTEND_URL", "https://example..com"), ("CORS_ORIGINS", "https://example.com,null"),
        ("CORS_ORIGINS", "https://example.com#top"), ("CORS_ORIGINS", "http://[::1"),
        ("CORS_ORIGIN_PATTERNS", "https://*.com"), ("CORS_ORIGIN_PATTERNS", "https://preview-*.com"),
        ("CORS_ORIGIN_PATTERNS", "https://app.example.com"), ("CORS_ORIGIN_PATTERNS", "*://a.b.example.com"),
        ("CORS_ORIGIN_PATTERNS", "https://*.*.example.com"), ("CORS_ORIGIN_PATTERNS", "https://*.a.example.com/"),
        ("TOLLGATE_CONFIG", "nowhere.yaml"),
    ])
    func wrongValues(name: String, value: String) throws {
        let problems = try Fixture.problems(with: [name: value])
        let places = Set(problems.places)
        #expect(places == ["environment variable \(name)"], "\(problems)")
        #expect(problems.allSatisfy { !$0.message.isEmpty && $0.remedy.hasSuffix(".") })
    }

    @Test func kubernetesServiceLinkIsNamed() throws {
        let problems = try Fixture.problems(with: [
            "TOLLGATE_PORT": "tcp://10.0.0.1:8080", "TOLLGATE_ADMIN_PORT": "udp://10.0.0.1:9090",
        ])
        try #require(problems.count == 2)
        #expect(problems[0].message.contains("Kubernetes for a Service named 'tollgate'"))
        #expect(problems[0].remedy.contains("enableServiceLinks: false"))
        #expect(problems[0].remedy.contains("rename"))
        #expect(problems[1].message.contains("a Service named 'tollgate-admin'"))
    }

    @Test func certificateAndKeyGoTogether() throws {
        let tls = ["REDIS_URL": "rediss://localhost"]
        let files = ["redis.pem": "certificate"]
        for (given, missing) in [("REDIS_CERT_FILE", "REDIS_KEY_FILE"), ("REDIS_KEY_FILE", "REDIS_CERT_FILE")] {
            let problems = try Fixture.problems(
                environment: Fixture.minimal.merging(tls) { $1 }.merging([given: "redis.pem"]) { $1 }, files: files)
            #expect(problems.places == ["environment variable \(given)"])
            #expect(problems.first?.message.contains(missing) == true)
        }
    }

    @Test func certificateWithoutTLSIsNoted() throws {
        let problems = try Fixture.problems(
            environment: Fixture.minimal.merging(["REDIS_CA_FILE": "redis.pem"]) { $1 },
            files: ["redis.pem": "certificate"])
        #expect(
            problems.map(\.remedy) == [
                "Begin REDIS_URL with rediss://, rediss-sentinel:// or rediss-cluster://, or remove the file."
            ])
    }

    /// What stands in the file, and what is wrong with it.
    @Test(arguments: [
        ("", "is empty"), ("\n", "is empty"), ("hunter2\nhunter3\n", "has several lines"),
        ("\nhunter2", "has several lines"), ("hunter2\0", "is no text"),
        (String(repeating: "hunter2", count: 10_000), "is longer than any password"),
    ])
    func aFileWithoutAPasswordIsTold(content: String, message: String) throws {
        let problems = try Fixture.problems(
            environment: Fixture.minimal.merging(["REDIS_PASSWORD_FILE": "password"]) { $1 },
            files: ["password": content])
        #expect(problems.places == ["environment variable REDIS_PASSWORD_FILE"])
        #expect(problems.first?.message.hasSuffix(message) == true, "\(problems)")
        #expect(!"\(problems)".contains("hunter"))
    }

    @Test func aPasswordFileThatIsNoneIsTold() throws {
        for (path, message) in [
            ("gone", "does not exist"), (".", "is no regular file"), ("/dev/zero", "is no regular"),
        ] {
            let problems = try Fixture.problems(with: ["REDIS_PASSWORD_FILE": path])
            #expect(problems.first?.message.contains(message) == true, "\(problems)")
            #expect(problems.first?.remedy.contains("a file that the gateway may read") == true)
        }
    }

    @Test func aPasswordIsInOnePlace() throws {
        let files = ["password": "hunter2\n"]
        func problems(_ url: String) throws -> [ConfigurationProblem] {
            try Fixture.problems(
                environment: Fixture.minimal.merging(["REDIS_URL": url, "REDIS_PASSWORD_FILE": "password"]) { $1 },
                files: files)
        }
        for url in [
            "redis://localhost", "redis://gate@localhost", "redis://gate:@localhost", "rediss://gate@localhost/1",
        ] {
            #expect(try problems(url).isEmpty, "\(url)")
        }
        let both = try problems("redis://gate:hunter3@localhost")
        #expect(both.places == ["environment variable REDIS_PASSWORD_FILE"])
        #expect(both.first?.message.contains("beside a password in REDIS_URL") == true, "\(both)")
        #expect(!"\(both)".contains("hunter"))
    }

    @Test func aLoginOfSentinelsIsForSentinels() throws {
        let alone = try Fixture.problems(with: ["REDIS_SENTINEL_PASSWORD": "secret"])
        #expect(alone.map(\.remedy) == ["Begin REDIS_URL with redis-sentinel://, or remove it."])
        let half = try Fixture.problems(with: [
            "REDIS_URL": "redis-sentinel://a/mymaster", "REDIS_SENTINEL_USERNAME": "watcher",
        ])
        #expect(half.map(\.remedy) == ["Give both, or the password alone."])
    }

    @Test func clerkKeysAreOfOneInstance() throws {
        let mixed = try Fixture.problems(with: [
            "CLERK_SECRET_KEY": "sk_test_x", "CLERK_PUBLISHABLE_KEY": Fixture.livePublishableKey,
        ])
        #expect(mixed.places == ["environment variable CLERK_PUBLISHABLE_KEY"])
        #expect(mixed.first?.message.contains("CLERK_SECRET_KEY") == true)
        #expect(
            try Fixture.problems(with: [
                "CLERK_SECRET_KEY": "sk_live_x", "CLERK_PUBLISHABLE_KEY": Fixture.livePublishableKey,
            ]).isEmpty)
    }

    /// A directory is what Docker makes of a file that is mounted and does not exist.
    @Test func directoryAndBinaryAreNoFiles() throws {
        for name in [".env", "tollgate.yaml"] {
            for isDirectory in [true, false] {
                let problems = try Fixture.withDirectory([:]) { directory in
                    let path = directory + "/" + name
                    if isDirectory {
                        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
                    } else {
                        try Data([0x70, 0xFF, 0xFE]).write(to: URL(filePath: path))
                    }
                    return Fixture.problems(environment: [:], directory: directory)
                }
                #expect(problems.places == [name])
                #expect(problems.first?.message.contains(isDirectory ? "cannot be read" : "UTF-8") == true)
            }
        }
    }

    /// What is missing may stand in the file that could not be read.
    @Test func unreadableFileIsTheOnlyProblem() throws {
        let problems = try Fixture.problems(environment: ["TOLLGATE_CONFIG": "gone.yaml"])
        #expect(problems.places == ["environment variable TOLLGATE_CONFIG"])
        #expect(problems.first?.message.contains("gone.yaml") == true)
    }
}
