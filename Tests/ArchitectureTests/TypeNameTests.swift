import Foundation
import Testing

/// A type has a name of its own among all targets: what imports two of them need not say which it means, and a reader
/// finds one declaration. Types within types and those of one file are named where they stand.
@Suite struct TypeNameTests {
    private static let sources = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources")

    /// Names of types that other files see, declared at the beginning of a line.
    private static func types(declaredIn text: String) -> [String] {
        let declaration =
            /(?m)^(?:@\w+(?:\([^)\n]*\))? )*(?:(?:package|public|internal|final|indirect|nonisolated) )*(?:struct|enum|class|protocol|actor|typealias) (\w+)/
        return text.matches(of: declaration).map { String($0.1) }
    }

    @Test func noTwoTargetsDeclareTheSameName() throws {
        var targets: [String: Set<String>] = [:]
        let files = FileManager.default.enumerator(atPath: Self.sources.path)?.compactMap { $0 as? String } ?? []
        for file in files where file.hasSuffix(".swift") {
            let text = try String(contentsOf: Self.sources.appending(path: file), encoding: .utf8)
            let target = String(file.split(separator: "/")[0])
            for name in Self.types(declaredIn: text) { targets[name, default: []].insert(target) }
        }
        #expect(targets.count > 300, "the types were not found")
        for (name, targets) in targets where targets.count > 1 {
            Issue.record("\(name) is declared in \(targets.sorted().joined(separator: " and "))")
        }
    }

    @Test func declarationsAreFound() {
        let text = """
            package struct A: Sendable {
                struct Inner {}
            }
            @available(*, unavailable) final class B {}
            private enum C {}
            actor D {}
            extension E {}
            """
        #expect(Self.types(declaredIn: text) == ["A", "B", "D"])
    }
}
