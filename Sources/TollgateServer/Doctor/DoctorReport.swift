package import JSONValue
package import TollgateConfiguration
import TollgateDataPlane

/// Everything that `tollgate doctor` has to tell.
package struct DoctorReport: Sendable {
    /// In the order of the sections.
    package let findings: [Finding]

    package init(_ findings: [Finding]) {
        self.findings = Finding.Section.allCases.flatMap { section in findings.filter { $0.section == section } }
    }

    /// What cannot be examined any further: a configuration that no worker would start with.
    package init(_ error: InvalidConfiguration) {
        self.init(
            error.problems.map {
                .fail(.configuration, "configuration", "\($0.place): \($0.message)", remedy: $0.remedy)
            })
    }

    /// The worst of the verdicts; skipped checks do not count.
    package var verdict: Finding.Verdict {
        let verdicts = findings.map(\.verdict)
        return verdicts.contains(.fail) ? .fail : verdicts.contains(.warn) ? .warn : .ok
    }

    /// 0 when all is well, 1 with warnings, 2 with failures.
    package var exitStatus: Int32 {
        switch verdict {
        case .ok, .skipped: 0
        case .warn: 1
        case .fail: 2
        }
    }

    /// `{"status":…,"findings":[{"section":…,"code":…,"verdict":…,"found":…,"remedy":…}]}`
    package var json: JSON {
        [
            "status": .string(verdict.rawValue),
            "findings": .array(
                findings.map { finding in
                    [
                        "section": .string(finding.section.rawValue), "code": .string(finding.code),
                        "verdict": .string(finding.verdict.rawValue), "found": .string(finding.found),
                        "remedy": .text(finding.remedy),
                    ]
                }),
        ]
    }

    /// For people: the sections, a line for each finding with its remedy below it, and the sum.
    package var text: String {
        var lines: [String] = []
        var section: Finding.Section?
        for finding in findings {
            if finding.section != section {
                if section != nil { lines.append("") }
                lines.append(finding.section.rawValue)
                section = finding.section
            }
            lines.append("  \(finding.verdict.column)\(finding.code): \(Self.printable(finding.found))")
            if let remedy = finding.remedy { lines.append("          -> \(Self.printable(remedy))") }
        }
        return (lines + ["", sum]).joined(separator: "\n") + "\n"
    }

    /// Names of keys and words of servers come from outside, and a terminal obeys what it is told.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }

    private var sum: String {
        Finding.Verdict.allCases.map { verdict in
            let count = findings.count { $0.verdict == verdict }
            return switch verdict {
            case .ok: "\(count) ok"
            case .warn: "\(count) \(count == 1 ? "warning" : "warnings")"
            case .fail: "\(count) \(count == 1 ? "failure" : "failures")"
            case .skipped: "\(count) skipped"
            }
        }.joined(separator: ", ")
    }
}

extension Finding.Verdict {
    /// Of one width, so that what follows stands in a line.
    fileprivate var column: String {
        switch self {
        case .ok: "ok    "
        case .warn: "warn  "
        case .fail: "FAIL  "
        case .skipped: "skip  "
        }
    }
}
