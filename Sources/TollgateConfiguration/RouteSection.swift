import TollgateCore
import Yams

/// The `routes` of `tollgate.yaml`: a list of mappings, one for each route.
///
/// ```yaml
/// routes:
///   - {name: reports, path: /reports, upstreams: "http://10.0.0.7:3000"}
/// ```
struct RouteSection {
    let fileName: String

    /// In the order of the file.
    private(set) var problems: [ConfigurationProblem] = []

    /// The line of each route of the table.
    private(set) var lines: [Int] = []

    init(fileName: String) { self.fileName = fileName }

    /// The table. Nil when anything is wrong with it, and then ``problems`` says what.
    mutating func read(_ node: Node) -> RouteTable? {
        if node.isNull { return .empty }
        guard let sequence = node.sequence else {
            report(
                .init(
                    line: node.line, message: "'routes' is not a list",
                    remedy: "Begin each route below it with a dash: `- name: api`."))
            return nil
        }
        guard sequence.count <= RouteTable.maximumCount else {
            report(
                .init(
                    line: node.line, message: "there are \(sequence.count) routes",
                    remedy: "At most \(RouteTable.maximumCount) are possible."))
            return nil
        }
        let readers = sequence.enumerated().map { RouteReader($1, position: $0 + 1) }
        lines = readers.map(\.line)
        return table(of: readers)
    }

    /// What could not be read is not compared with other routes: it would fit what it was never meant to.
    private mutating func table(of readers: [RouteReader]) -> RouteTable? {
        let comparable = readers.filter(\.isComparable)
        var findings = readers.flatMap(\.findings)
        for reader in readers where !reader.isComparable {
            findings += reader.route.problems.compactMap(reader.finding)
        }
        var table: RouteTable?
        do throws(InvalidRoutes) {
            table = try RouteTable(comparable.map(\.route))
        } catch {
            findings += error.entries.compactMap { comparable[$0.index].finding($0.problem) }
        }
        for finding in findings.sorted(by: { $0.line < $1.line }) { report(finding) }
        return problems.isEmpty ? table : nil
    }

    private mutating func report(_ finding: RouteReader.Finding) {
        problems.append(
            ConfigurationProblem(
                place: "\(fileName):\(finding.line)", message: finding.message, remedy: finding.remedy))
    }
}
