import TestSupport
import Testing

/// README.md's tour is what a newcomer gets who pastes it.
@Suite(.timeLimit(.minutes(6))) struct TourTests {
    @Test func readmeShowsWhatIsPrinted() async throws {
        let page = try ReferencePage.contents("README.md")
        var run = try await Self.walk(page)
        // What is shown holds for one clock minute.
        for _ in 1...2 where run.crossedMinute { run = try await Self.walk(page) }
        for difference in run.differences { Issue.record("\(difference)") }
        // A line of a request has much to tell.
        for line in run.serverLines where line.count > 100 && !line.contains(" requestId=") {
            Issue.record("a terminal would break this line: \(line)")
        }
    }

    private static func walk(_ page: String) async throws -> TourRun {
        try await withTemporaryDirectory { try await TourRun(page, in: $0) }
    }

    /// The tour starts the program as `make run` does.
    @Test func makeRunStartsTheSame() throws {
        let makefile = try ReferencePage.contents("Makefile")
        let words = TourRun.command.split(separator: " ")
        let data = try #require(words.last)
        let command = words.dropLast().joined(separator: " ")
        #expect(makefile.contains("\nrun: deps build\n\t@\(command) $(DATA)\n"))
        #expect(makefile.contains("\nDATA      ?= \(data)\n"))
    }

    /// Of a page that is wrong in each way there is, what is wrong is found.
    @Test func differencesAreFound() async throws {
        let page = """
            ```sh
            NAME=world
            ```
            ```sh
            echo "hello $NAME" && echo same
            ```
            ```text
            hello there
            same
            ```
            ```sh
            echo more
            ```
            ```log
            Tollgate runs on line.
            ```
            ```sh
            echo before; false; echo after
            ```
            ```text
            before
            after
            ```
            """
        let run = try await withTemporaryDirectory { try await TourRun(page, in: $0, patienceSeconds: 1) }
        try #require(run.differences.count == 4, "\(run.differences)")
        let first = """
            README.md:8 shows (-) other than is printed (+) by

            echo "hello $NAME" && echo same

            - hello there
            + hello world
              same

            """
        #expect(run.differences[0] == first)
        #expect(run.differences[1].contains("\n+ more\n"))
        #expect(run.differences[2].contains("- Tollgate runs on line.\n"))
        #expect(run.differences[2].contains("+ Ctrl-C stops everything.\n"))
        #expect(run.differences[3].contains("  before\n- after\n"), "the shell ends at the command that fails")
    }

    @Test func blocksAreRead() throws {
        let tour = try Tour(parsing: "```\nmake run\n```\n\n```sh\na\nb\n```\n\n```text\nc\n```\n```log\nd\n```\n")
        #expect(
            tour.steps == [
                .shell(.init(line: 6, lines: ["a", "b"]), prints: .init(line: 11, lines: ["c"])),
                .server(.init(line: 14, lines: ["d"])),
            ])
        #expect(throws: Tour.Unreadable.self) { try Tour(parsing: "```text\nc\n```\n") }
        let readme = try Tour(parsing: ReferencePage.contents("README.md"))
        #expect(readme.steps.count >= 10, "the blocks were not found")
    }

    /// Ids and times may differ, and nothing else.
    @Test func onlyIdsAndTimesAreMasked() {
        let pairs = [
            (#""requestId":"5f069cf61777-6""#, #""requestId":"0123456789ab-1f""#),
            ("X-RateLimit-Reset: 47", "X-RateLimit-Reset: 5"),
            (#"RateLimit: "minute";r=94;t=47"#, #"RateLimit: "minute";r=94;t=9"#),
            (#""createdAt":"2026-11-25T01:30:01Z""#, #""createdAt":"2027-01-05T11:30:01Z""#),
        ]
        for (shown, printed) in pairs {
            #expect(TourDifference.between(shown: [shown], printed: [printed]) == nil, "\(shown)")
        }
        let different = [
            (#""count":5,"limit":5"#, #""count":6,"limit":5"#),
            (#"RateLimit: "minute";r=94;t=47"#, #"RateLimit: "minute";r=93;t=47"#),
            (#""usageCount""#, #""usagecount""#),
        ]
        for (shown, printed) in different {
            #expect(TourDifference.between(shown: [shown], printed: [printed]) == "- \(shown)\n+ \(printed)".masked)
        }
    }
}

extension String {
    fileprivate var masked: String { TourDifference.masked(self) }
}
