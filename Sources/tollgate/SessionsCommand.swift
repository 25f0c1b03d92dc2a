import ArgumentParser
import JSONValue
import TollgateServer

/// `tollgate sessions`
struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "See why session tokens are refused.", subcommands: [Explain.self])

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say why a call with a session token passes or not.",
            discussion: "Clerk is asked for the keys that verify it, as serve asks.")
        @Argument(help: "The token, as the caller sends it after Bearer; '-' reads it from standard input.")
        var token: String
        @OptionGroup var call: TriedCallOptions
        @OptionGroup var door: OperatorSession

        func run() async throws {
            try await door.ask(
                .post, "sessions/explain", body: call.body(presenting: "token", token == "-" ? readLine() ?? "" : token)
            ) { answer in
                let plan = answer["claimedPlan"].string.map { ", claims the plan \($0)" } ?? ""
                let user = answer["userId"].string.map { "\($0)\(plan)\n" } ?? ""
                return user + answer["nextCall"].spoken + "\n"
            }
        }
    }
}

extension JSON {
    /// What would become of a call, with the code that a customer is told.
    var spoken: String { self["message"].cell + (self["code"].string.map { " (\($0))" } ?? "") }
}

/// The call that is tried with a credential.
struct TriedCallOptions: ParsableArguments {
    @Option(help: "The name of the route that it is to; its cost, rate and scopes count then.") var route: String?
    @Option(parsing: .upToNextOption, help: "What the call needs beside.") var scopes: [String] = []
    @Option(help: "The caller's address, for a key that is bound to some.") var from: String?

    func body(presenting name: String, _ credential: String) -> JSON {
        [
            name: .string(credential), "route": .text(route),
            "scopes": scopes.isEmpty ? .null : .array(scopes.map(JSON.string)), "from": .text(from),
        ]
    }
}
