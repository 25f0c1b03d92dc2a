import Foundation
import Testing

/// What takes the time says so by its tag, for other tests at the same time would falsify it. Read from the sources.
@Suite struct MeasuredTimeTests {
    /// Files that take the time, and whose limits a busy machine does not reach.
    private static let patient = [
        "TrafficWindowTests.swift": "takes the time to set a clock by",
        "GuardTests.swift": "at most 6 s and 8 s, of which the proxies wait for one and five",
        "ProxyUpstreamFaultTests.swift": "at least, and not at most",
        "SettlementTests.swift": "at most 10 s for an end that is due at once, and 5 s beyond the longest shutdown",
        "WebhookTests.swift": "at most 5 s and 6 s, of which it needs one and four",
        "WebhookStormTests.swift": "until when deliveries are tried",
        "LifecycleTests.swift": "at most 15 s for an end that is due at once, and 10 s beyond the longest shutdown",
        "StripeWebhooksTests.swift": "at least, and not at most",
        "StripeAPITests.swift": "at least, and not at most",
    ]

    private static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    private static let takesTime = [" timed {", " timed(", "ContinuousClock.now", "FaultLoad.now"]

    /// The suites of all targets but this one, by file.
    private static func suites() throws -> [(file: String, text: String)] {
        let files = FileManager.default.enumerator(atPath: tests.path)?.compactMap { $0 as? String } ?? []
        return try files.filter { $0.hasSuffix("Tests.swift") && !$0.hasPrefix("ArchitectureTests/") }.map {
            ($0, try String(contentsOf: tests.appending(path: $0), encoding: .utf8))
        }
    }

    @Test func whatTakesTheTimeHasTheTag() throws {
        let takers = try Self.suites().filter { suite in Self.takesTime.contains { suite.text.contains($0) } }
        #expect(takers.count > 20, "the suites were not found")
        for (file, text) in takers where !text.contains(".tags(.measuresTime)") {
            let name = String(file.split(separator: "/").last ?? "")
            #expect(Self.patient[name] != nil, "\(file): give it the tag, or its reason for having none")
        }
        let names = takers.filter { !$0.text.contains(".tags(.measuresTime)") }.map {
            String($0.file.split(separator: "/").last ?? "")
        }
        #expect(Self.patient.keys.filter { !names.contains($0) } == [], "take no time, or have the tag")
    }

    /// `Tests/run` finds the tag by these words alone.
    @Test func theTagIsWrittenInOneWay() throws {
        for (file, text) in try Self.suites() {
            let lines = text.split(separator: "\n").filter { $0.contains("measuresTime") }
            for line in lines { #expect(line.contains(".tags(.measuresTime)"), "\(file): \(line)") }
        }
    }

    /// What all tests of a process share is changed by none of them.
    @Test func noTestChangesItsProcess() throws {
        let changes = [
            "setenv(", "unsetenv(", "putenv(", "changeCurrentDirectoryPath", "chdir(", "signal(SIG", "sigaction(",
            "MetricsSystem.bootstrap", "LoggingSystem.bootstrap",
        ]
        for (file, text) in try Self.suites() {
            for change in changes {
                let calls = text.ranges(of: change).filter { place in
                    // A signal for a process of the test's own is sent by a method.
                    place.lowerBound == text.startIndex || text[text.index(before: place.lowerBound)] != "."
                }
                #expect(calls.isEmpty, "\(file) calls \(change)")
            }
        }
    }
}
