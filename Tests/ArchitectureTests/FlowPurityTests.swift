import Foundation
import Testing

/// The decisions about a request are a value's, which runs in a test without a channel, a task, a clock and a store; and
/// the data plane knows the store's port alone.
@Suite struct FlowPurityTests {
    private static let sources = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources")

    /// What the files whose names begin with `prefix` import, by their names.
    private static func imports(ofFilesNamed prefix: String) throws -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        let files = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
        for file in files where file.hasSuffix(".swift") {
            let name = String(file.split(separator: "/").last ?? "")
            guard name.hasPrefix(prefix) else { continue }
            let text = try String(contentsOf: sources.appending(path: file), encoding: .utf8)
            found[name] = Set(
                text.split(separator: "\n").compactMap { line in
                    let words = line.split(separator: " ")
                    guard let keyword = words.firstIndex(of: "import"), keyword <= 2 else { return nil }
                    return words.last.map(String.init)
                })
        }
        return found
    }

    @Test func theFlowKnowsOnlyTheDomain() throws {
        let imports = try Self.imports(ofFilesNamed: "AdmissionFlow")
        #expect(imports.count >= 3, "the flow's files were not found")
        for (file, modules) in imports {
            #expect(modules.isSubset(of: ["HTTPTypes", "TollgateCore"]), "\(file)")
        }
    }

    @Test func theDataPlaneHoldsThePort() throws {
        let imports = try Self.imports(ofFilesNamed: "GatewayRequest").merging(
            Self.imports(ofFilesNamed: "DataPlane")
        ) { $1 }
        #expect(imports["GatewayRequest.swift"] != nil && imports["DataPlane.swift"] != nil)
        for (file, modules) in imports {
            #expect(modules.isDisjoint(with: ["TollgateStore", "RedisClient", "Hiredis"]), "\(file)")
        }
    }
}
