import Testing
import TollgateConfiguration
import TollgateCore

@Suite struct ConfigurationYAMLTests {
    private typealias Fixture = ConfigurationFixture

    /// A file, and the one problem it has: its line, a part of the message and one of the remedy.
    @Test(arguments: [
        ("port: 80\nprot: 81", 2, "'prot' is unknown", "'port'"),
        ("redisUrl: redis://x", 1, "'redisUrl' is unknown", "'redis.url'"),
        ("REDIS_URL: redis://x", 1, "'REDIS_URL' is unknown", "'redis.url'"),
        ("clerk:\n\n  jwtkee: x", 3, "'clerk.jwtkee' is unknown", "'clerk.jwtKey'"),
        ("zzzzzzzz: 1", 1, "'zzzzzzzz' is unknown", "Known are host, port"),
        ("port: high", 1, "port: 'high'", "such a number"),
        ("host: a\nport: [1]", 2, "'port' is a list", "0 to 65535"),
        ("port:\n  number: 1", 2, "'port' is a mapping", "0 to 65535"),
        ("redis: here", 1, "'redis' is not a mapping", "url"),
        ("cors:\n  origins:\n  - [https://a.example]", 3, "not a list of texts", "one text"),
        ("- port", 1, "the file is not a mapping", "name: value"),
        ("port: 1\nhost: a\nport: 2", 1, "'port' stands twice", "Keep one"),
        ("plans:\n  free: {quota: 5}\n  paid: {quota: 6}\n  free: {quota: 7}", 2, "'free' stands twice", "Keep one"),
        ("plans:\n  free:\n    quota: 5\n    quota: 6", 3, "'quota' stands twice", "Keep one"),
        ("plans:\n  free: {quota: -1}", 2, "quota of the plan 'free' is -1", "0 to 9007199254740991"),
        ("plans:\n  free:\n    quota: 5\n    ratePerMinute: -3", 4, "ratePerMinute of the plan 'free' is -3", "from 0"),
        ("plans:\n  free: {quota: 9007199254740992}", 2, "is 9007199254740992", "0 to 9007199254740991"),
        ("plans:\n  free: {quota: many}", 2, "quota of the plan 'free' is not a whole number", "from 0"),
        ("plans:\n  free: {quota: 5, rate: 1}", 2, "unknown key 'rate'", "'ratePerMinute'"),
        ("plans:\n  free: {qouta: 5, quota: 5}", 2, "unknown key 'qouta'", "'quota'"),
        ("plans:\n  free: {ratePerMinute: 5}", 2, "'free' has no quota", "quota"),
        ("plans:\n  free: 5", 2, "'free' is not a mapping", "{quota: 500}"),
        ("plans:\n  paid: {quota: 5}", 2, "no plan 'free'", "Add it"),
        ("plans:\n  free: {quota: 5}\n  Pro!: {quota: 6}", 3, "'Pro!' is no name", "lower-case"),
        ("plans:\n  free: {quota: 5, price: 5}", 2, "the price of the plan 'free' is no price", "`29 USD`"),
        ("plans:\n  free: {quota: 5, price: 29 usd}", 2, "is no price", "29.50 EUR"),
        ("plans:\n  free: {quota: 5, price: -1 USD}", 2, "is no price", "29.50 EUR"),
        ("plans:\n  free: {quota: 5, period: subscription}", 2, "has the period 'subscription'", "Remove it"),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, period: month}", 3, "'pro' is 'month'", "`calendar`"),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, period: [calendar]}", 3, "period of the plan", "`calendar`"),
        ("plans:\n  free: {quota: 5, priceId: price_1}", 2, "'free' has a priceId", "Remove it"),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceIds: []}", 3, "'pro' are empty", "Add the IDs"),
        ("plans:\n  free: {quota: 5, priceIds: [price_1]}", 2, "'free' has a priceIds", "Remove it"),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceId: prod_1}", 3, "'prod_1' for a price", "prod_"),
        (
            "plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceId: \"price_a, price_b\"}", 3, "not the ID of one",
            "a list"
        ),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceIds: price_a}", 3, "is no list", "priceIds: [price_1"),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceId: [price_a]}", 3, "is no text", "priceIds: [price_1"),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceIds: [price_a, 7]}", 3, "'7' for a price", "a list"),
        ("plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceIds: [price_a, [price_b]]}", 3, "for a price", "a list"),
        (
            "plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceIds: [price_a, price_a]}", 3, "price_a twice",
            "of its own"
        ),
        (
            "plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceId: price_a, priceIds: [price_b]}", 3,
            "both priceId and priceIds", "Write all"
        ),
        (
            "plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceId: price_1}\n  max: {quota: 7, priceId: price_1}", 4,
            "'pro' and 'max' have the same priceId", "of its own"
        ),
        (
            "plans:\n  free: {quota: 5}\n  pro: {quota: 6, priceIds: [price_1, price_2]}\n"
                + "  max: {quota: 7, priceIds: [price_3, price_2]}", 4, "'pro' and 'max' have the same priceId",
            "of its own"
        ),
        ("plans: 5", 1, "'plans' is not a mapping", "free: {quota: 5}"),
        ("port: 80\n\thost: a", 2, "not YAML", "Correct"),
        ("port: 80\nhost: 'a", 2, "not YAML", "Correct"),
        ("port: 80\n---\nport: 81", 2, "not YAML", "Correct"),
        ("host: *nobody", 1, "not YAML: found undefined alias", "Correct"),
    ])
    func problemNamesItsLine(yaml: String, line: Int, message: String, remedy: String) throws {
        let problems = try Fixture.problems(yaml: yaml)
        #expect(problems.places == ["tollgate.yaml:\(line)"], "\(problems)")
        #expect(problems.first?.message.contains(message) == true, "\(problems)")
        #expect(problems.first?.remedy.contains(remedy) == true, "\(problems)")
    }

    @Test func emptyFileSetsNothing() throws {
        for yaml in ["", "# nothing yet\n", "---\n", "~"] {
            #expect(try Fixture.load(files: ["tollgate.yaml": yaml]).port == 8080)
        }
    }

    @Test func sixtyFourPlansAreEnough() throws {
        func yaml(_ count: Int) -> String {
            "plans:\n  free: {quota: 5}\n" + (1..<count).map { "  plan-\($0): {quota: \($0)}\n" }.joined()
        }
        #expect(
            try Fixture.load(files: ["tollgate.yaml": yaml(PlanTable.maximumCount)]).plans.plans.count
                == PlanTable.maximumCount)
        let problems = try Fixture.problems(yaml: yaml(PlanTable.maximumCount + 1))
        #expect(problems.map(\.message) == ["there are 65 plans"])
    }

    @Test func fileIsNamedAsItWasGiven() throws {
        let problems = try Fixture.problems(
            flags: ["TOLLGATE_CONFIG": "./gate.yaml"], files: ["gate.yaml": "\nthread: 5"])
        #expect(problems.places == ["./gate.yaml:2"])
    }

    /// Everything that is wrong with the plans, not the first of it.
    @Test func allProblemsOfThePlansAreFound() throws {
        let problems = try Fixture.problems(
            yaml: "plans:\n  paid: {quota: -1, ratePerMinute: x}\n  p a: {quota: 1}\n  pro: {price: 3}")
        #expect(
            problems.places.sorted() == [
                "tollgate.yaml:2", "tollgate.yaml:2", "tollgate.yaml:2", "tollgate.yaml:3", "tollgate.yaml:4",
                "tollgate.yaml:4",
            ])
    }
}
