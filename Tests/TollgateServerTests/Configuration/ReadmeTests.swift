import Foundation
import Testing
import TollgateServer

/// The README's table of settings is the one that the program goes by.
@Suite struct ReadmeTests {
    private static func readme() throws -> String {
        let file = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "README.md")
        return try String(contentsOf: file, encoding: .utf8)
    }

    @Test func settingsAreThoseOfTheProgram() throws {
        let text = try Self.readme()
        let table = Setting.markdownTable()
        #expect(text.contains(table), "Put this table into README.md:\n\(table)")
    }

    /// Whoever copies one of them can start with it.
    @Test func examplesAreValid() throws {
        let blocks = try Self.readme().split(separator: "```yaml\n").dropFirst()
        let examples = blocks.compactMap { $0.split(separator: "\n```").first.map(String.init) }
        #expect(!examples.isEmpty)
        for example in examples {
            let problems = try ConfigurationFixture.problems(yaml: example)
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
