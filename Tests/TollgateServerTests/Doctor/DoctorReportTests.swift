import JSONValue
import Testing
import TollgateConfiguration
import TollgateDataPlane

@testable import TollgateServer

/// How the doctor's findings are told to people and to programs.
@Suite struct DoctorReportTests {
    private static let ok = Finding.ok(.redis, "connection", "it answers")
    private static let skipped = Finding.skipped(.stripe, "secret-key", "not configured")
    private static let warning = Finding.warn(.memory, "memory", "Little is left.", remedy: "Add \"some\".")
    private static let failure = Finding.fail(.configuration, "configuration", "Wrong.", remedy: "Mend it.")

    @Test(
        arguments: [
            ([], "ok", 0), ([ok, skipped], "ok", 0), ([ok, warning], "warn", 1), ([failure, warning, ok], "fail", 2),
        ] as [([Finding], String, Int32)])
    func theWorstCounts(findings: [Finding], status: String, exitStatus: Int32) {
        let report = DoctorReport(findings)
        #expect(report.verdict.rawValue == status && report.exitStatus == exitStatus)
        #expect(report.json.text.hasPrefix(#"{"status":"\#(status)","findings":["#))
    }

    @Test func programsAreToldInOneForm() {
        #expect(
            DoctorReport([Self.warning, Self.ok]).json.text
                == #"{"status":"warn","findings":[{"section":"redis","code":"connection","verdict":"ok","#
                + #""found":"it answers","remedy":null},{"section":"memory","code":"memory","verdict":"warn","#
                + #""found":"Little is left.","remedy":"Add \"some\"."}]}"#)
    }

    @Test func peopleAreToldBySections() {
        #expect(
            DoctorReport([Self.skipped, Self.warning, Self.failure, Self.ok]).text == """
                configuration
                  FAIL  configuration: Wrong.
                          -> Mend it.

                redis
                  ok    connection: it answers

                memory
                  warn  memory: Little is left.
                          -> Add "some".

                stripe
                  skip  secret-key: not configured

                1 ok, 1 warning, 1 failure, 1 skipped

                """)
    }

    @Test func problemsOfTheConfigurationAreFailures() {
        let problem = ConfigurationProblem(place: ".env:3", message: "is wrong", remedy: "Mend it.")
        let report = DoctorReport(InvalidConfiguration(problems: [problem]))
        #expect(report.exitStatus == 2)
        #expect(report.findings.map(\.found) == [".env:3: is wrong"] && report.findings[0].remedy == "Mend it.")
    }

    @Test(
        arguments: [
            (1_048_576, nil, Finding.Verdict.ok), (1024, nil, .warn), (1024, 100, .ok), (1024, 5000, .warn),
        ] as [(Int, Int?, Finding.Verdict)])
    func descriptors(limit: Int, wanted: Int?, verdict: Finding.Verdict) {
        let finding = Finding.descriptors(limit: limit, eventLoops: 2, wantedConnections: wanted)
        #expect(finding.verdict == verdict, "\(finding)")
    }
}
