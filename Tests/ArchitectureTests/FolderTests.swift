import Foundation
import Testing

/// The folders of a target know each other one way only, as targets do. Read from the names of types.
@Suite struct FolderTests {
    private static let sources = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources")

    /// Every target that has folders.
    private static let targets = ((try? FileManager.default.contentsOfDirectory(atPath: sources.path)) ?? []).filter {
        target in
        let files = FileManager.default.enumerator(atPath: sources.appending(path: target).path)
        return files?.contains { "\($0)".contains("/") && "\($0)".hasSuffix(".swift") } ?? false
    }.sorted()

    @Test func targetsWithFoldersAreFound() {
        #expect(Set(Self.targets).isSuperset(of: ["TollgateCore", "RedisClient", "ReverseProxy", "TollgateServer"]))
    }

    private struct File {
        let folder: String
        let types: [String]
        let words: Set<String>
    }

    @Test(arguments: targets) func foldersKnowEachOtherOneWay(target: String) throws {
        let files = try Self.files(of: target)
        let homes = Dictionary(files.flatMap { file in file.types.map { ($0, file.folder) } }) { first, _ in first }
        #expect(homes.count > 5, "the types were not found")
        var known: [String: Set<String>] = [:]
        for file in files {
            known[file.folder, default: []].formUnion(file.words.compactMap { homes[$0] }.filter { $0 != file.folder })
        }
        #expect(Self.circle(in: known) == nil)
    }

    /// Folders that know each other in a circle. Nil when there are none.
    static func circle(in known: [String: Set<String>]) -> [String]? {
        var left = known
        // A folder that knows none of those that are left is in no circle.
        while let free = left.first(where: { $0.value.isDisjoint(with: left.keys) })?.key { left[free] = nil }
        return left.isEmpty ? nil : left.keys.sorted()
    }

    @Test func circlesAreFound() {
        #expect(Self.circle(in: ["a": ["b", "c"], "b": ["c"], "c": []]) == nil)
        #expect(Self.circle(in: ["a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": []]) == ["a", "b", "c", "d"])
    }

    private static func files(of target: String) throws -> [File] {
        let root = sources.appending(path: target)
        let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return try paths.filter { $0.hasSuffix(".swift") }.map { path in
            let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
                .replacing(/\/\/.*/, with: "").replacing(/"(\\.|[^"\\\n])*"/, with: "")
            let declaration =
                /(?m)^(?:package |public |final |indirect )*(?:struct|enum|class|protocol|typealias) (\w+)/
            return File(
                folder: path.contains("/") ? String(path.split(separator: "/")[0]) : ".",
                types: text.matches(of: declaration).map { String($0.1) },
                words: Set(text.matches(of: /\b[A-Z]\w*/).map { String($0.0) }))
        }
    }
}
