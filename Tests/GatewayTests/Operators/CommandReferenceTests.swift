import JSONValue
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The reference of commands has each command, each of its options, and what it prints.
@Suite struct CommandReferenceTests {
    /// Those that say which gateway a command is about, and how it is told: in all commands.
    private static let shared: Set<String> = [
        "config", "host", "port", "admin-host", "admin-port", "redis-url", "threads", "log-level", "set", "dev", "data",
        "admin", "json", "help", "version",
    ]

    /// By the words of a command, the names of the options that are its own.
    private static func commands() async throws -> [String: Set<String>] {
        // Through a file: it is longer than what is kept of a process' lines.
        let text = try await withTemporaryDirectory { directory in
            let file = directory + "/help.json"
            let process = try ChildProcess.start(
                "/bin/bash", ["-c", "exec \"$0\" --experimental-dump-help > \"$1\"", Worker.program, file],
                environment: [:], output: .lines)
            #expect(await process.wait() == .exited(0))
            return try String(contentsOfFile: file, encoding: .utf8)
        }
        let help = try #require(JSON(parsing: text.utf8))
        var found: [String: Set<String>] = [:]
        collect(help["command"], path: [], into: &found)
        return found
    }

    private static func collect(_ command: JSON, path: [String], into found: inout [String: Set<String>]) {
        let path = path + [command["commandName"].string ?? "?"]
        let children = (command["subcommands"].elements ?? []).filter { $0["commandName"].string != "help" }
        for child in children { collect(child, path: path, into: &found) }
        // `tollgate dev` is `tollgate dev serve`.
        guard children.isEmpty else { return }
        let words = path.last == "serve" && path.count == 3 ? path.dropLast() : path[...]
        let options = (command["arguments"].elements ?? []).compactMap { argument in
            argument["names"].elements?.first { $0["kind"].string == "long" }?["name"].string
        }
        found[words.joined(separator: " ")] = Set(options).subtracting(shared)
    }

    @Test func everyCommandIsThere() async throws {
        let text = try ReferencePage("Reference/Commands").text
        var sections: [String: String] = [:]
        for part in text.split(separator: "\n## `").dropFirst().map(String.init) {
            sections[String(part.prefix { $0 != "`" })] = part
        }
        let commands = try await Self.commands()
        #expect(sections.keys.sorted() == commands.keys.sorted())
        for (command, options) in commands {
            let section = sections[command] ?? ""
            #expect(section.contains("```\n$ "), "\(command): what it prints")
            for option in options { #expect(section.contains("`--\(option)`"), "\(command) --\(option)") }
        }
    }
}
