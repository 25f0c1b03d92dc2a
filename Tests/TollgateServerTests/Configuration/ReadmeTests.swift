import Foundation
import Testing
import TollgateServer

/// The README's table of settings is the one that the program goes by.
@Suite struct ReadmeTests {
    @Test func settingsAreThoseOfTheProgram() throws {
        let readme = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "README.md")
        let text = try String(contentsOf: readme, encoding: .utf8)
        let table = Setting.markdownTable()
        #expect(text.contains(table), "Put this table into README.md:\n\(table)")
    }
}
