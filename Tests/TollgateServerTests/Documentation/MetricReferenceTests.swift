import PrometheusMetrics
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateServer

/// The tables of metrics have each one that the program keeps, with its type, and no other.
@Suite struct MetricReferenceTests {
    private static func documented() throws -> [String: [String]] {
        let rows = try ReferencePage("Reference/Metrics").rows
        return Dictionary(
            uniqueKeysWithValues: rows.compactMap { row in
                ReferencePage.code(in: row[0]).first.map { ($0, row) }
            })
    }

    /// As a counter is called where it is made: the text format appends the suffix.
    private static func withoutSuffix(_ name: String) -> String {
        name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : name
    }

    @Test func metricsAreThoseOfTheProgram() throws {
        let texts = try ReferencePage.productionSources().values
        let names = texts.flatMap { $0.matches(of: /"((?:tollgate|process)_[a-z_]+)"/).map { String($0.1) } }
        // The parameter of a query is none; the registry's own counter begins with the namespace that it is given.
        let kept = Set(names.map(Self.withoutSuffix)).subtracting(["tollgate_ticket"])
            .union(["tollgate_metrics_series_dropped"])
        #expect(kept.count > 25, "the metrics were not found")
        let documented = Set(try Self.documented().keys.map(Self.withoutSuffix))
        #expect(kept.subtracting(documented) == [], "add these to Reference/Metrics.md")
        #expect(documented.subtracting(kept) == [], "there are no such metrics")
    }

    /// By the word that makes each. No handle is made in another way, which would leave out its help text.
    @Test func typesAreThoseOfTheProgram() throws {
        let documented = try Self.documented()
        var count = 0
        for (path, text) in try ReferencePage.productionSources() where !path.hasPrefix("PrometheusMetrics/") {
            for match in text.matches(of: /\.(counter|gauge|timer)\(\s*"(tollgate_[a-z_]+)"/) {
                let type = match.1 == "timer" ? "histogram" : String(match.1)
                let name = match.2 + (type == "counter" ? "_total" : "")
                #expect(documented[String(name)]?[1] == type, "\(name) is a \(type)")
                count += 1
            }
            #expect(text.firstMatch(of: /\b(Counter|Gauge|Meter|Timer|Recorder)\(\s*label:/) == nil, "\(path)")
        }
        #expect(count > 25, "the metrics were not found")
    }

    /// As `/metrics` shows those that are there from the start.
    @Test func textIsAsDocumented() throws {
        let documented = try Self.documented()
        let registry = PrometheusRegistry(namespace: "tollgate")
        let metrics = GatewayMetrics(factory: registry)
        let lines = withExtendedLifetime(metrics) { registry.render().split(separator: "\n") }
        let types = lines.filter { $0.hasPrefix("# TYPE ") }
        #expect(types.count >= 8)
        #expect(lines.count(where: { $0.hasPrefix("# HELP ") }) == types.count)
        for line in types {
            let words = line.split(separator: " ")
            #expect(documented[String(words[2])]?[1] == String(words[3]), "\(line)")
        }
    }

    @Test func codesOfTheStoreAreAllTold() throws {
        let row = try #require(try Self.documented()["tollgate_store_errors_total"])
        #expect(ReferencePage.code(in: row[2]).dropFirst() == StoreErrorCode.allCases.map(\.rawValue)[...])
    }
}
