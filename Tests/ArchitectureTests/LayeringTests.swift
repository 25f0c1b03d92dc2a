import Foundation
import Testing

/// Arrows between targets point one way, and only the two C-facing targets see C. Read from the import lines.
@Suite struct LayeringTests {
    /// Layer of each target; an import must lead to a lower one.
    private static let layers: [String: Int] = [
        "CHiredis": 0, "COpenSSL": 0, "TollgateCore": 0,
        "Hiredis": 1, "Libcrypto": 1, "NameResolution": 1, "ConnectionFailures": 1, "JSONValue": 1, "PercentCoding": 1,
        "RedisClient": 2, "OutboundCalls": 2, "HTTPWire": 2, "SMTPClient": 2,
        "TollgateStore": 3, "ClerkAuth": 3, "StripeBilling": 3, "ReverseProxy": 3,
        "TollgateConfiguration": 4, "PrometheusMetrics": 4,
        "TollgateDataPlane": 5,
        "TollgateServer": 6,
        "TollgateDev": 7,
        "tollgate": 8,
    ]

    private static let onlyImporter = ["CHiredis": "Hiredis", "COpenSSL": "Libcrypto"]

    private static let sources = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources")

    private struct Import {
        let target: String
        let file: String
        let module: String
    }

    private static func imports() throws -> [Import] {
        let targets = try FileManager.default.contentsOfDirectory(atPath: sources.path)
        return try targets.flatMap { target -> [Import] in
            let folder = sources.appending(path: target)
            let files = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
            return try files.filter { $0.hasSuffix(".swift") }.flatMap { file in
                let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
                return text.split(separator: "\n").compactMap { line -> Import? in
                    let words = line.split(separator: " ").filter { !$0.hasPrefix("@") }
                    guard let keyword = words.firstIndex(of: "import"), keyword <= 1, words.count > keyword + 1 else {
                        return nil
                    }
                    let module = words[words.count - 1].split(separator: ".")[0]
                    return Import(target: target, file: file, module: String(module))
                }
            }
        }
    }

    @Test func everyTargetHasALayer() throws {
        for target in try FileManager.default.contentsOfDirectory(atPath: Self.sources.path) {
            #expect(Self.layers[target] != nil, "give \(target) a layer")
        }
    }

    @Test func importsPointDown() throws {
        let imports = try Self.imports()
        #expect(imports.count > 50, "the import lines were not found")
        for found in imports {
            guard let importer = Self.layers[found.target], let imported = Self.layers[found.module] else { continue }
            #expect(imported < importer, "\(found.target)/\(found.file) imports \(found.module)")
        }
    }

    @Test func systemLibrariesHaveOneImporter() throws {
        for found in try Self.imports() {
            guard let importer = Self.onlyImporter[found.module] else { continue }
            #expect(found.target == importer, "\(found.target)/\(found.file) imports \(found.module)")
        }
    }

    /// The domain is pure: it knows no Redis, no HTTP, no clock, not even Foundation.
    @Test func domainImportsNothing() throws {
        for found in try Self.imports() where found.target == "TollgateCore" {
            Issue.record("TollgateCore/\(found.file) imports \(found.module)")
        }
    }

    /// Full Foundation would bring 40 MB of Unicode tables into every worker.
    @Test func nobodyImportsFullFoundationOnLinux() throws {
        for target in try FileManager.default.contentsOfDirectory(atPath: Self.sources.path) {
            let folder = Self.sources.appending(path: target)
            let files = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
            for file in files where file.hasSuffix(".swift") {
                let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
                guard text.contains("import Foundation\n") else { continue }
                #expect(
                    text.contains("#if canImport(FoundationEssentials)"),
                    "\(target)/\(file) imports Foundation where FoundationEssentials would do")
            }
        }
    }
}
