import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What `tollgate dev` makes of the `tollgate.yaml` of the directory that it is started in.
@Suite(.timeLimit(.minutes(6))) struct DevelopmentFileTests {
    private static func routes(_ names: String...) -> String {
        let upstream = "http://127.0.0.1:1"
        let routes = names.map { "- {name: \($0), path: /\($0), auth: none, upstreams: \"\(upstream)\"}\n" }
        return "routes:\n" + routes.joined()
    }

    /// A file that comes later counts, with each change of it, and its going changes nothing.
    @Test func fileMayComeLater() async throws {
        try await withDevelopment { _ in
        } _: { development, directory in
            func write(_ text: String) throws {
                try text.write(toFile: "\(directory)/tollgate.yaml", atomically: true, encoding: .utf8)
            }
            #expect(development.routes == "tollgate.yaml does not exist yet, and is read when it does")
            #expect(try await HTTP.get("/a", port: development.port).status == 404)

            try write(Self.routes("a"))
            #expect(await development.nextLine() == "tollgate.yaml: 1 route is in force")
            // The upstream is none.
            #expect(try await HTTP.get("/a", port: development.port).status == 502)

            try write(Self.routes("b", "c"))
            #expect(await development.nextLine() == "tollgate.yaml: 2 routes are in force")
            #expect(try await HTTP.get("/a", port: development.port).status == 404)
            #expect(try await HTTP.get("/c", port: development.port).status == 502)

            try write("routes: [{}]")
            #expect(await development.nextLine()?.contains("routes and plans stay as they are") == true)

            try FileManager.default.removeItem(atPath: "\(directory)/tollgate.yaml")
            while let line = await development.nextLine(), !line.contains("is gone or blank") {
                #expect(line.contains("is not valid"), "all problems of the file before are told")
            }
            #expect(try await HTTP.get("/c", port: development.port).status == 502)
        }
    }

    @Test func fileThatIsThereIsRead() async throws {
        try await withDevelopment { directory in
            try Self.routes("a").write(toFile: "\(directory)/tollgate.yaml", atomically: true, encoding: .utf8)
        } _: { development, _ in
            #expect(development.routes == "tollgate.yaml")
            let answer = try await HTTP.get("/a", port: development.port)
            #expect(answer.status == 502)
        }
    }

    /// A running `tollgate dev`.
    private final class Development {
        private(set) var port = 0
        private(set) var routes = ""
        private var lines: AsyncStream<String>.Iterator

        init(_ process: ChildProcess) async throws {
            lines = process.lines.makeAsyncIterator()
            while let line = await lines.next(), line != "Ctrl-C stops everything." {
                let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
                guard line.hasPrefix("  "), words.count == 2 else { continue }
                let value = String(words[1].drop { $0 == " " })
                if words[0] == "gateway" { port = Int(value.split(separator: ":").last ?? "") ?? 0 }
                if words[0] == "routes" { routes = value }
            }
            try #require(port != 0)
        }

        /// The next line about the file. Others are about an upstream that does not answer.
        func nextLine() async -> String? {
            while let line = await lines.next() { if line.contains("tollgate.yaml") { return line } }
            return nil
        }
    }

    private func withDevelopment(
        _ prepare: (String) throws -> Void, _ body: (Development, String) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try prepare(directory)
            let ports = ["", "admin-", "identity-", "stripe-", "clerk-", "redis-"].map { "--\($0)port 0" }
            let process = try ChildProcess.start(
                "sh",
                [
                    "-c", "cd \"$0\" && exec \"$1\" dev \(ports.joined(separator: " "))", directory, Worker.program,
                ], environment: ["PATH": "/usr/bin:/bin"], output: .lines)
            do {
                try await body(Development(process), directory)
            } catch {
                await process.terminate()
                throw error
            }
            await process.terminate()
        }
    }
}
