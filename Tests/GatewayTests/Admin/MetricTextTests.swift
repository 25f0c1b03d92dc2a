import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `/metrics` of a gateway that has had something to do, the reference, and what is made of the metrics in `deploy`.
@Suite(.timeLimit(.minutes(6))) struct MetricTextTests {
    private static func documented() throws -> [String: [String]] {
        let rows = try ReferencePage("Reference/Metrics").rows
        return Dictionary(
            uniqueKeysWithValues: rows.compactMap { row in ReferencePage.code(in: row[0]).first.map { ($0, row) } })
    }

    /// A cell of the reference as the text format has it: a sentence without marks.
    private static func sentence(_ cell: String) -> String {
        let plain = cell.replacing("`", with: "").replacing(/\[([^\]]+)\]\([^)]+\)/) { $0.1 }
        return plain.prefix(1).uppercased() + plain.dropFirst() + "."
    }

    /// There once there was a reconciliation: 0 would be a moment of 1970.
    private static let ofReconciliations = [
        "tollgate_reconciliation_timestamp_seconds", "tollgate_reconciliation_complete_timestamp_seconds",
    ]

    /// What a program says, with its errors.
    private static func say(_ program: String, _ arguments: [String]) async throws -> (
        status: ChildProcess.ExitStatus, output: String
    ) {
        let process = try ChildProcess.start(program, arguments, output: .lines)
        var output = ""
        for await line in process.lines { output += line + "\n" }
        return (await process.wait(), output)
    }

    /// Of a gateway whose every kind of series is there.
    private static func text() async throws -> String {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 500 Fault\r\nContent-Length: 0\r\n\r\n")
        ])
        let kept = Kept()
        let routes = """
            - {name: one, path: /one, upstreams: "{upstream}"}
            - {name: two, path: /two, auth: none, upstreams: "{other}", healthCheck: {path: /health}}
            """
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            for path in ["/one", "/two", "/nothing"] {
                _ = try await HTTP.get(path, port: gateway.port, headers: [("Authorization", gateway.bearer())])
            }
            _ = try await HTTP.get("/one", port: gateway.port)
            try await eventually("the health check has failed") {
                let text = try await HTTP.get("/metrics", port: gateway.local.adminPort).body
                kept.text = text
                return text.contains(#"tollgate_upstream_up{path="/health",upstream="127.0.0.1:1"} 0"#)
            }
        }
        return kept.text
    }

    private final class Kept: @unchecked Sendable {
        // @unchecked Sendable, reason: written by one task, and read when that has ended.
        var text = ""
    }

    @Test func everyMetricIsSaidToBeWhatItIs() async throws {
        let text = try await Self.text()
        let documented = try Self.documented()
        var seen: Set<String> = []
        var types: [String: String] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("# ") {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if words[1] == "TYPE" { types[words[2]] = words[3] }
            guard words[1] == "HELP" else { continue }
            seen.insert(words[2])
            let row = try #require(documented[words[2]], "\(words[2]) is not in Reference/Metrics.md")
            #expect(Self.sentence(row[3]) == words[3], "\(words[2])")
        }
        for (name, type) in types { #expect(documented[name]?[1] == type, "\(name)") }
        #expect(Set(types.keys) == seen, "each has its help text")
        #expect(
            Set(documented.keys).subtracting(seen).subtracting(Self.ofReconciliations) == [],
            "what the reference has and the gateway does not")
        #expect(text.contains(#"tollgate_route_requests_total{route="one",status="5xx"} 1"#), "\(text)")
        #expect(text.contains(#"tollgate_route_requests_total{route="one",status="4xx"} 1"#))
        #expect(text.contains(#"tollgate_upstream_failures_total{upstream="127.0.0.1:"#))
        // Two of /one and one of /two: what is not found is no call.
        #expect(text.contains("\ntollgate_calls_total 3\n"))

        try await withTemporaryDirectory { directory in
            let path = "\(directory)/metrics.txt"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            // Fails with the name of what is missing where there is no promtool.
            _ = try await Self.say("promtool", ["--version"])
            let checked = try await Self.say("sh", ["-c", "promtool check metrics < \"$0\"", path])
            #expect(checked.status == .exited(0) && checked.output.isEmpty, "\(checked.output)")
        }
    }

    // MARK: deploy

    /// The metrics that a text names.
    private static func names(in text: String) -> Set<String> {
        Set(
            text.matches(of: /\b((?:tollgate|process)_[a-z_]+)/).map { match in
                let name = String(match.1)
                for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
                    return String(name.dropLast(suffix.count))
                }
                return name
            })
    }

    @Test func alertsAreMadeOfMetricsThatThereAre() async throws {
        let documented = Set(try Self.documented().keys)
        let rules = try ReferencePage.contents("deploy/prometheus/tollgate.rules.yml")
        let names = Self.names(in: rules)
        #expect(names.count > 12 && names.subtracting(documented) == [])
        let alerts = rules.matches(of: /- alert: (\w+)/).map { String($0.1) }
        let tested = Set(
            try ReferencePage.contents("deploy/prometheus/tollgate.rules.test.yml").matches(of: /alertname: (\w+)/)
                .map { String($0.1) })
        #expect(Set(alerts) == tested, "each alert has its test")

        let folder = try #require(ReferencePage.folder("deploy/prometheus"))
        for (command, file) in [
            ("rules", "tollgate.rules.yml"), ("config", "prometheus.yml"),
        ] {
            let checked = try await Self.say("promtool", ["check", command, "\(folder)/\(file)"])
            #expect(checked.status == .exited(0), "\(checked.output)")
        }
        let tried = try await Self.say("promtool", ["test", "rules", "\(folder)/tollgate.rules.test.yml"])
        #expect(tried.status == .exited(0), "\(tried.output)")
    }

    @Test func theBoardShowsMetricsThatThereAre() throws {
        let text = try ReferencePage.contents("deploy/grafana/tollgate.json")
        let (names, documented) = (Self.names(in: text), Set(try Self.documented().keys))
        #expect(names.count > 15 && names.subtracting(documented) == [])
        let board = try JSONDecoder().decode(Board.self, from: Data(text.utf8))
        #expect(Set(board.panels.map(\.id)).count == board.panels.count && board.panels.count > 10)
        for panel in board.panels {
            #expect(!panel.title.isEmpty && !panel.targets.isEmpty, "\(panel.title)")
            for target in panel.targets { #expect(!Self.names(in: target.expr).isEmpty, "\(panel.title)") }
        }
    }

    /// As much of Grafana's form as is looked at.
    private struct Board: Decodable {
        struct Panel: Decodable {
            struct Target: Decodable { let expr: String }

            let id: Int
            let title: String
            let targets: [Target]
        }

        let panels: [Panel]
    }
}
