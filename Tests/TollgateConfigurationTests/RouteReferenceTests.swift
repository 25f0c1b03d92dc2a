import TestSupport
import Testing
import TollgateCore
import TollgateConfiguration

/// The table of a route's fields has each one that the program reads, with its default and its range.
@Suite struct RouteReferenceTests {
    private static func rows() throws -> [(names: [String], standard: String, values: String)] {
        try ReferencePage("Reference/Routes").rows.map { (ReferencePage.code(in: $0[0]), $0[1], $0[2]) }
    }

    @Test func fieldsAreThoseOfTheProgram() throws {
        let names = try Self.rows().flatMap(\.names)
        let fields = Set(names.map { String($0.prefix { $0 != "." }) })
        #expect(fields == Set(RouteProblem.Field.allCases.map(\.rawValue) + ["host"]))
    }

    /// The program names the parts of a field when it is asked for one that is none.
    @Test func partsAreThoseOfTheProgram() throws {
        let names = try Self.rows().flatMap(\.names).filter { $0.contains(".") }
        let parts = Dictionary(grouping: names) { String($0.prefix { $0 != "." }) }
        #expect(parts.keys.sorted() == ["healthCheck", "limits", "timeouts"])
        for (field, names) in parts {
            let problems = try ConfigurationFixture.problems(
                yaml: RouteFixture.yaml("upstreams: http://10.0.0.7:3000\n\(field): {qqqqqqqqqqqq: 1}"))
            let remedy = try #require(problems.first { $0.message.contains("unknown") }?.remedy)
            let known = remedy.trimmingPrefix("Known are ").dropLast().split(separator: ", ").map { "\(field).\($0)" }
            #expect(known == names)
        }
    }

    /// A route that says what holds anyway is the route that does not say it.
    @Test(arguments: [
        "cost", "charge", "idempotency", "onRedisDown", "retries", "timeouts.connect", "timeouts.response",
        "timeouts.idle", "limits.body", "limits.bodyRate", "encodedSlashes", "doubleSlashes", "stripPrefix",
        "mapLocations", "hostHeader", "auth", "upgrades", "healthCheck.interval", "healthCheck.timeout",
    ])
    func defaultsAreThoseOfTheProgram(name: String) throws {
        let row = try #require(try Self.rows().first { $0.names.contains(name) })
        let standard =
            row.standard.hasPrefix("`")
            ? ReferencePage.code(in: row.standard)[0] : String(row.standard.prefix { $0 != " " && $0 != ";" })
        let path = name.hasPrefix("healthCheck") ? "healthCheck: {path: /up}" : ""
        let implied = try RouteFixture.routes(RouteFixture.yaml("upstreams: http://10.0.0.7:3000\n" + path))
        let stated = try RouteFixture.routes(
            RouteFixture.yaml("upstreams: http://10.0.0.7:3000\n" + Self.line(name, standard)))
        #expect(stated == implied, "\(name): \(standard)")
    }

    /// Both ends of each range, and what lies beyond the last by one.
    @Test func rangesAreThoseOfTheProgram() throws {
        var count = 0
        for row in try Self.rows() {
            // A name has so many characters; a rate's end is a power.
            guard let range = row.values.firstMatch(of: /^(\w+) to (\w+)/),
                !["name", "ratePerMinute"].contains(row.names[0])
            else { continue }
            for end in [range.1, range.2] {
                #expect(try Self.problems(row.names[0], String(end)) == 0, "\(row.names[0]): \(end)")
                count += 1
            }
            let beyond = try #require(Self.oneMore(than: String(range.2)), "\(row.values)")
            #expect(try Self.problems(row.names[0], beyond) == 1, "\(row.names[0]): \(beyond)")
        }
        #expect(count > 15, "the ranges were not found")
    }

    /// Where a field takes one of several words, the row has all of them.
    @Test func wordsAreThoseOfTheProgram() throws {
        func check(_ name: String, _ words: [String]) throws {
            let row = try #require(try Self.rows().first { $0.names == [name] })
            #expect(Set(words).isSubset(of: ReferencePage.code(in: row.values)), "\(name)")
        }
        try check("auth", Route.Authentication.allCases.map(\.rawValue))
        try check("charge", Route.Charge.allCases.map(\.rawValue))
        try check("idempotency", Route.Idempotency.allCases.map(\.rawValue))
        try check("onRedisDown", Route.OutagePolicy.allCases.map(\.rawValue))
        try check("encodedSlashes", Route.OddPath.allCases.map(\.rawValue))
        try check("doubleSlashes", Route.OddPath.allCases.map(\.rawValue))
        try check("hostHeader", Route.HostHeader.allCases.map(\.rawValue))
    }

    private static func problems(_ name: String, _ value: String) throws -> Int {
        try ConfigurationFixture.problems(
            yaml: RouteFixture.yaml("upstreams: http://10.0.0.7:3000\n" + line(name, value))
        ).count
    }

    /// A number and one, a time and a millisecond, a size and a byte. Nil when it is none of them.
    private static func oneMore(than text: String) -> String? {
        let factors = [
            "": 1, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30,
            "TB": 1 << 40,
        ]
        let unit = String(text.drop(while: \.isNumber))
        guard let number = Int(text.prefix(while: \.isNumber)), let factor = factors[unit] else { return nil }
        return "\(number * factor + 1)" + (["ms", "s", "m", "h"].contains(unit) ? "ms" : "")
    }

    /// A line of a route that says it.
    private static func line(_ name: String, _ value: String) -> String {
        let parts = name.split(separator: ".")
        guard parts.count == 2 else { return "\(name): \(value)" }
        let path = parts[0] == "healthCheck" ? "path: /up, " : ""
        return "\(parts[0]): {\(path)\(parts[1]): \(value)}"
    }
}
