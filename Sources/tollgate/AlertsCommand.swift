import ArgumentParser
import JSONValue
import TollgateServer

/// `tollgate alerts`
struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts", abstract: "See alerts on their way, and send them again.",
        subcommands: [List.self, Replay.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List alerts.")

        enum State: String, ExpressibleByArgument, CaseIterable { case pending, delivered, dead }

        @Option(help: "pending, delivered or dead (default: all).") var state: State?
        @Option(help: "How many.") var limit = 100
        @OptionGroup var door: OperatorSession

        func run() async throws {
            let query = ["limit": "\(limit)", "state": state?.rawValue].compactMapValues(\.self)
            try await door.ask(.get, "alerts", query: query) { answer in
                var table = TextTable("ALERT", "TYPE", "BY", "STATE", "USER", "TRIES", "SINCE", "FAILURE")
                for alert in answer["alerts"].elements ?? [] {
                    table.add(
                        alert["id"].cell, alert["type"].cell, alert["channel"].cell, alert["state"].cell,
                        alert["userId"].cell,
                        alert["attempts"].cell, alert["since"].cell, alert["failure"].cell)
                }
                let counts = (answer["counts"].members ?? []).map { "\($0.value.cell) \($0.name)" }
                return table.text + counts.joined(separator: ", ") + "\n"
            }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send an alert again that was given up.")
        @Argument(help: "The alert's id, msg_….") var alert: String?
        @Flag(help: "All that were given up.") var dead = false
        @OptionGroup var door: OperatorSession

        func validate() throws {
            guard (alert != nil) != dead else { throw ValidationError("Give the id of an alert, or --dead for all.") }
        }

        func run() async throws {
            guard let alert else {
                return try await door.ask(.post, "alerts/replay") { "sent again: \($0["replayed"].cell)\n" }
            }
            try await door.ask(.post, "alerts/\(OperatorSession.segment(alert))/replay") { _ in
                "\(alert) is sent again.\n"
            }
        }
    }
}
