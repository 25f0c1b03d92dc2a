import Foundation

/// A page of documentation whose tables a test holds to the code.
package struct ReferencePage {
    package let text: String

    /// - Parameter name: Within the catalog, such as `Reference/Settings`.
    package init(_ name: String) throws {
        text = try Self.contents("Sources/tollgate/Tollgate.docc/\(name).md")
    }

    /// A file of the repository.
    ///
    /// - Parameter path: Relative to the root.
    package static func contents(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Where a folder of the repository is. Nil when there is none.
    package static func folder(_ path: String) -> String? {
        let folder = root.appending(path: path).path
        return FileManager.default.fileExists(atPath: folder) ? folder : nil
    }

    /// The README and all pages of the catalog.
    package static func allTexts() throws -> [String] {
        let folder = "Sources/tollgate/Tollgate.docc"
        let files =
            FileManager.default.enumerator(atPath: root.appending(path: folder).path)?
            .compactMap { $0 as? String } ?? []
        let pages = files.filter { $0.hasSuffix(".md") }.sorted().map { folder + "/" + $0 }
        return try (["README.md"] + pages).map(contents)
    }

    /// The Swift sources that production is made of, without the stand-ins of `tollgate dev`.
    ///
    /// - Returns: The text of each file, by its path.
    package static func productionSources() throws -> [String: String] {
        let files =
            FileManager.default.enumerator(atPath: root.appending(path: "Sources").path)?
            .compactMap { $0 as? String } ?? []
        let paths = files.filter { $0.hasSuffix(".swift") && !$0.hasPrefix("TollgateDev/") }
        return Dictionary(uniqueKeysWithValues: try paths.map { ($0, try contents("Sources/" + $0)) })
    }

    /// The rows of all tables, without their heads: the text of each cell.
    package var rows: [[String]] {
        var rows: [[String]] = []
        var isInTable = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("|---") {
                isInTable = true
            } else if !line.hasPrefix("|") {
                isInTable = false
            } else if isInTable {
                rows.append(Self.cells(line))
            }
        }
        return rows
    }

    /// What stands in code marks.
    package static func code(in cell: String) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    private static func cells(_ line: Substring) -> [String] {
        let inner = line.dropFirst().dropLast().replacing("\\|", with: "\u{1}")
        return inner.split(separator: "|", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: .whitespaces).replacing("\u{1}", with: "|")
        }
    }

    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
