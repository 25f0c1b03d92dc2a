import Foundation
import Testing

/// The README, the pages beside it, and the documentation catalogs: each link leads somewhere, each page can be found.
@Suite struct DocumentationTests {
    /// Every page of Markdown that is part of the repository, relative to its root.
    private static func paths() throws -> [String] {
        let top = try FileManager.default.contentsOfDirectory(atPath: MarkdownPage.root.path)
        let below = ["Sources", "Tests", "deploy"].flatMap { folder in
            (FileManager.default.enumerator(atPath: MarkdownPage.root.appending(path: folder).path) ?? .init())
                .compactMap { $0 as? String }.map { folder + "/" + $0 }
        }
        return (top + below).filter { $0.hasSuffix(".md") }.sorted()
    }

    /// The pages of each catalog, by its folder.
    private static func catalogs() throws -> [String: [String]] {
        let pages = try paths().filter { $0.contains(".docc/") }
        return Dictionary(grouping: pages) { path in
            let parts = path.split(separator: "/")
            return parts[...(parts.firstIndex { $0.hasSuffix(".docc") } ?? 0)].joined(separator: "/") + "/"
        }
    }

    @Test func pagesAreFound() throws {
        let paths = try Self.paths()
        #expect(Set(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]).isSubset(of: paths))
        #expect(paths.count(where: { $0.contains("Tollgate.docc/") }) > 30)
        #expect(try Self.catalogs().count == 4)
    }

    /// Files and anchors. What lies outside of the repository is not asked for.
    @Test func linksLeadSomewhere() throws {
        var count = 0
        for path in try Self.paths() {
            let page = try MarkdownPage(path)
            for link in page.links where link.target.firstMatch(of: /^[a-z]+:/) == nil {
                count += 1
                let parts = link.target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let folder = MarkdownPage.root.appending(path: path).deletingLastPathComponent()
                let file = parts[0].isEmpty ? path : Self.relative(folder.appending(path: parts[0]).standardized)
                let exists = FileManager.default.fileExists(atPath: MarkdownPage.root.appending(path: file).path)
                #expect(exists, "\(path): [\(link.label)](\(link.target))")
                guard exists, parts.count > 1 else { continue }
                let anchors = try MarkdownPage(file).anchors
                #expect(anchors.contains(String(parts[1])), "\(path): [\(link.label)](\(link.target)) has no heading")
            }
        }
        #expect(count > 100, "the links were not found")
    }

    private static func relative(_ file: URL) -> String {
        String(file.path.dropFirst(MarkdownPage.root.standardized.path.count).drop { $0 == "/" })
    }

    /// The way of a request through the code, as the architecture page lists it: not more than one can follow.
    @Test func theWayOfARequestIsShort() throws {
        let page = try MarkdownPage("Sources/tollgate/Tollgate.docc/Architecture.md").text
        let table = try #require(
            page.firstMatch(of: /### To follow one through the code\n[\s\S]+?\n(\|[\s\S]+?)\n\n/)
        ).1
        let sources = FileManager.default.enumerator(atPath: MarkdownPage.root.appending(path: "Sources").path)
        let paths = sources?.compactMap { $0 as? String } ?? []
        var count = 0
        for row in table.split(separator: "\n").dropFirst(2) {
            let cells = row.split(separator: "|").map { $0.matches(of: /`([^`]+)`/).map { String($0.1) } }
            let folder = try #require(cells[0].first)
            for name in cells[1] {
                count += 1
                let file = "\(folder)/\(name)" + (name.hasSuffix(".lua") ? "" : ".swift")
                #expect(
                    paths.contains { $0 == file || $0.hasPrefix("\(folder)/") && $0.hasSuffix("/\(name).swift") },
                    "\(file)")
            }
        }
        #expect((20...25).contains(count))
    }

    /// The page that a newcomer reads first is one that can be read: 15 KB.
    @Test func readmeIsShort() throws {
        #expect(try MarkdownPage("README.md").text.utf8.count <= 15_360)
    }

    /// The index of a catalog lists each of its pages, and DocC tells pages apart by the names of their files.
    @Test func catalogsListTheirPages() throws {
        for (folder, paths) in try Self.catalogs() {
            let name = try #require(folder.split(separator: "/").last).dropLast(".docc".count)
            let index = try MarkdownPage("\(folder)\(name).md")
            for path in paths where path != index.path {
                let target = String(path.dropFirst(folder.count))
                #expect(index.links.contains { $0.target == target }, "\(index.path) does not list \(target)")
            }
            let names = paths.map { $0.split(separator: "/").last }
            #expect(Set(names).count == names.count, "\(folder) has two pages of one name")
        }
    }

    /// A title, then a sentence that says what the page is about. DocC shows both in lists.
    @Test func pagesBeginWithTitleAndAbstract() throws {
        for path in try Self.catalogs().values.joined() {
            let lines = try MarkdownPage(path).text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines[0].hasPrefix("# ") && lines[1].isEmpty, "\(path) has no title")
            #expect(lines[2].first?.isUppercase == true || lines[2].hasPrefix("`"), "\(path) has no abstract")
        }
    }

    /// The README's table of guides and its line of references lead to each of them.
    @Test func readmeLeadsToEachGuide() throws {
        let readme = try MarkdownPage("README.md")
        for path in try Self.paths() where path.contains("Tollgate.docc/Guides/") || path.contains("docc/Reference/") {
            #expect(readme.links.contains { $0.target == path }, "README.md does not lead to \(path)")
        }
    }

    /// A decision record has its number in order, the three parts, and fits on a screen.
    @Test func decisionsHaveTheirParts() throws {
        let paths = try Self.paths().filter { $0.contains("Tollgate.docc/Decisions/") }
        #expect(paths.count >= 10)
        for (position, path) in paths.enumerated() {
            let page = try MarkdownPage(path)
            #expect(page.headings.first?.hasPrefix("\(position + 1). ") == true, "\(path) is number \(position + 1)")
            #expect(Array(page.headings.dropFirst()) == ["Context", "Decision", "Consequences"], "\(path)")
            let lines = page.text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect((15...41).contains(lines.count), "\(path)")
        }
    }
}
