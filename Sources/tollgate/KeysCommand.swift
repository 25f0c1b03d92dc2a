import ArgumentParser
import JSONValue
import TollgateServer

/// `tollgate keys`
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "See and end users' keys.",
        subcommands: [List.self, Owner.self, Explain.self, Create.self, Rotate.self, Revoke.self, RevokeAll.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List a user's keys.")
        @OptionGroup var user: UserSession

        func run() async throws {
            try await user.ask(.get, "/keys") { answer in
                var table = TextTable("KEY", "NAME", "MODE", "SCOPES", "EXPIRES", "LAST USED")
                for key in answer["keys"].elements ?? [] {
                    let scopes = (key["scopes"].elements ?? []).compactMap(\.string).joined(separator: " ")
                    table.add(
                        key["id"].cell, key["name"].cell, key["mode"].cell, scopes, key["expiresAt"].cell,
                        key["lastUsedAt"].cell)
                }
                return table.text
            }
        }
    }

    struct Owner: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Find whose a key is, by its text or its id.")
        @Argument(help: "The key as it was found, or its id; '-' reads it from standard input.") var key: String
        @OptionGroup var door: OperatorSession

        func run() async throws {
            let text = key == "-" ? readLine() ?? "" : key
            try await door.ask(.post, "keys/owner", body: ["key": .string(text)]) { $0.lines() }
        }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Say why a call with a key passes or not.")
        @Argument(help: "The whole key; '-' reads it from standard input.") var key: String
        @OptionGroup var call: TriedCallOptions
        @OptionGroup var door: OperatorSession

        func run() async throws {
            try await door.ask(
                .post, "keys/explain", body: call.body(presenting: "key", key == "-" ? readLine() ?? "" : key)
            ) { answer in
                let owner = answer["userId"].string.map { "\($0), \(answer["keyId"].cell)\n" } ?? ""
                return owner + answer["nextCall"].spoken + "\n"
            }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key for a user; it is shown once.")
        @Option(help: "The user's id.") var user: String
        @Option(help: "What it is for.") var name: String
        @Option(parsing: .upToNextOption, help: "What it is good for (default: everything).") var scopes: [String] = []
        @Option(help: "Days until it ends.") var expiresInDays: Int?
        @OptionGroup var door: OperatorSession

        func run() async throws {
            let body: JSON = [
                "name": .string(name), "scopes": scopes.isEmpty ? .null : .array(scopes.map(JSON.string)),
                "expiresInDays": expiresInDays.map { .integer($0) } ?? .null,
            ]
            try await door.ask(.post, "users/\(OperatorSession.segment(user))/keys", body: body) {
                "\($0["key"].cell)\n"
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a key another secret; it is shown once.")
        @Argument(help: "The key's id.") var id: String
        @Option(help: "The user's id.") var user: String
        @Option(help: "How long the secret so far works on.") var overlapSeconds: Int?
        @OptionGroup var door: OperatorSession

        func run() async throws {
            let path = try "users/\(OperatorSession.segment(user))/keys/\(OperatorSession.segment(id))/rotate"
            let body: JSON? = overlapSeconds.map { ["overlapSeconds": .integer($0)] }
            try await door.ask(.post, path, body: body) { "\($0["key"].cell)\n" }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a key at once.")
        @Argument(help: "The key's id.") var id: String
        @Option(help: "The user's id.") var user: String
        @OptionGroup var door: OperatorSession

        func run() async throws {
            try await door.ask(
                .delete, "users/\(OperatorSession.segment(user))/keys/\(OperatorSession.segment(id))"
            ) { _ in "\(id) is revoked.\n" }
        }
    }

    struct RevokeAll: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke-all", abstract: "End all keys of a user at once.")
        @OptionGroup var user: UserSession

        func run() async throws {
            try await user.ask(.delete, "/keys") {
                "\(counted(.integer(($0["revoked"].elements ?? []).count), "key")) of \(user.id) revoked\($0["platformKeyRevoked"].bool == true ? ", and the publishable one" : "").\n"
            }
        }
    }
}
