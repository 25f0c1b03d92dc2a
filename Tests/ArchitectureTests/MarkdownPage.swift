import Foundation

/// A page of Markdown: its headings, and where its links lead. Code is not looked at, as in every reader of Markdown.
struct MarkdownPage {
    struct Link {
        let label: String
        let target: String
    }

    /// Relative to the repository's root.
    let path: String
    let text: String

    /// Without the marks of code, in the order of the page.
    let headings: [String]
    let links: [Link]

    /// - Parameter path: Relative to the repository's root.
    init(_ path: String) throws {
        self.path = path
        text = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
        let prose = Self.withoutBlocks(text)
        headings = prose.split(separator: "\n").compactMap { line in
            line.firstMatch(of: /^#{1,6} +(.+)$/).map { String($0.1).replacing("`", with: "") }
        }
        links = prose.replacing(/`[^`\n]+`/, with: "code")
            .matches(of: /\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)/)
            .flatMap { match in
                // A picture may be the label of a link.
                let inner = String(match.1).matches(of: /!\[[^\]]*\]\(([^()\s]+)\)/).map { String($0.1) }
                return ([String(match.2)] + inner).map { Link(label: String(match.1), target: $0) }
            }
    }

    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The anchors of the headings, as GitHub and others name them. Of equal ones the later have a number.
    var anchors: Set<String> {
        var counts: [String: Int] = [:]
        return Set(
            headings.map { heading in
                let anchor = heading.lowercased()
                    .filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == " " }
                    .replacing(" ", with: "-")
                let count = counts[anchor, default: 0]
                counts[anchor] = count + 1
                return count == 0 ? anchor : "\(anchor)-\(count)"
            })
    }

    /// Lines outside of fenced code.
    private static func withoutBlocks(_ text: String) -> String {
        var isCode = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            guard line.hasPrefix("```") else { return !isCode }
            isCode.toggle()
            return false
        }
        return lines.joined(separator: "\n")
    }
}
