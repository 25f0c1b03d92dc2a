import TestSupport
import Testing
import TollgateConfiguration

/// The table of settings is the one that the program goes by.
@Suite struct SettingReferenceTests {
    @Test func settingsAreThoseOfTheProgram() throws {
        let table = Setting.markdownTable()
        #expect(
            try ReferencePage("Reference/Settings").text.contains(table),
            "Put this table into Reference/Settings.md:\n\(table)")
    }

    /// A worker starts with any of them.
    @Test func examplesAreValid() throws {
        let examples = try ReferencePage.allTexts().flatMap { page in
            page.split(separator: "```yaml\n").dropFirst()
                .compactMap { $0.split(separator: "\n```").first.map(String.init) }
        }
        #expect(examples.count >= 3)
        for example in examples {
            let problems = try ConfigurationFixture.problems(yaml: example)
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
