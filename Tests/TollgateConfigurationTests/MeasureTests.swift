import Testing
import TollgateConfiguration
import TollgateCore

/// Durations and sizes, as a route's limits take them.
@Suite struct MeasureTests {
    private static func milliseconds(_ text: String) throws -> Int? {
        let yaml = RouteFixture.yaml("timeouts: {idle: '\(text)'}")
        return try RouteFixture.routes(yaml).first?.timeouts.idleMilliseconds
    }

    private static func bytes(_ text: String) throws -> Int? {
        try RouteFixture.routes(RouteFixture.yaml("limits: {body: '\(text)'}")).first?.limits.bodyBytes
    }

    @Test(arguments: [
        ("500ms", 500), ("2s", 2_000), ("1m", 60_000), ("1h", 3_600_000), ("5", 5_000), ("0.5", 500), ("1.5s", 1_500),
        ("2 s", 2_000), ("0.001s", 1), ("24h", 86_400_000),
    ])
    func durations(text: String, expected: Int) throws {
        #expect(try Self.milliseconds(text) == expected)
    }

    @Test(arguments: [
        ("0", 0), ("17", 17), ("17B", 17), ("64KB", 65_536), ("10MB", 10_485_760), ("1.5KB", 1_536),
        ("2GB", 2_147_483_648), ("1TB", 1_099_511_627_776), ("64 KB", 65_536),
    ])
    func sizes(text: String, expected: Int) throws {
        #expect(try Self.bytes(text) == expected)
    }

    @Test(arguments: [
        "s", "5 minutes", "-1s", "+1s", "1e3", ".5s", "5.", "1.2.3s", "0.0001s", "0.5ms", "5MS", "٥s",
        "99999999999999999999", "9223372036854775807h", "1s ms",
    ])
    func noDurations(text: String) throws {
        let problems = try ConfigurationFixture.problems(yaml: RouteFixture.yaml("timeouts: {idle: '\(text)'}"))
        #expect(problems.map(\.message) == ["route 'r', timeouts.idle: '\(text)' is no duration"])
        #expect(problems.first?.remedy.contains("500ms") == true)
    }

    @Test(arguments: ["KB", "64kb", "64K", "64 kilobytes", "-1", "0.3B", "9007199254740993TB"])
    func noSizes(text: String) throws {
        let problems = try ConfigurationFixture.problems(yaml: RouteFixture.yaml("limits: {body: '\(text)'}"))
        #expect(problems.map(\.message) == ["route 'r', limits.body: '\(text)' is no size"])
        #expect(problems.first?.remedy.contains("64KB") == true)
    }
}
