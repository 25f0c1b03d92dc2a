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
            // As blocks, and as files that a shell writes.
            [("```yaml\n", "\n```"), ("cat > tollgate.yaml <<'END'\n", "\nEND\n")].flatMap { start, end in
                page.split(separator: start).dropFirst()
                    .compactMap { $0.split(separator: end).first.map(String.init) }
            }
        }
        #expect(examples.count >= 3)
        for example in examples {
            let problems = try ConfigurationFixture.problems(yaml: example)
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
