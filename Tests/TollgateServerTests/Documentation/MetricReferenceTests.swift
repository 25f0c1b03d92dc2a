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

    /// By the word that makes each.
    @Test func typesAreThoseOfTheProgram() throws {
        let documented = try Self.documented()
        var count = 0
        for text in try ReferencePage.productionSources().values {
            let pattern = /\b(Counter|counter|count|Meter|Gauge|Timer)\(\s*(?:label: )?"((?:tollgate)_[a-z_]+)"/
            for match in text.matches(of: pattern) {
                let type =
                    switch match.1 {
                    case "Meter", "Gauge": "gauge"
                    case "Timer": "histogram"
                    default: "counter"
                    }
                let name = match.2 + (type == "counter" ? "_total" : "")
                #expect(documented[String(name)]?[1] == type, "\(name) is a \(type)")
                count += 1
            }
        }
        #expect(count > 20, "the metrics were not found")
    }

    /// As `/metrics` shows those that are there from the start.
    @Test func textIsAsDocumented() throws {
        let documented = try Self.documented()
        let registry = PrometheusRegistry(namespace: "tollgate")
        let metrics = GatewayMetrics(factory: registry)
        let lines = withExtendedLifetime(metrics) { registry.render().split(separator: "\n") }
        let types = lines.filter { $0.hasPrefix("# TYPE ") }
        #expect(types.count >= 8)
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
