import ArgumentParser
import JSONValue
import TollgateServer

/// `tollgate events`
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "See Stripe's events, and carry them out again.",
        subcommands: [List.self, Replay.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the events that wait for Stripe's next try.")
        @OptionGroup var door: OperatorSession

        func run() async throws {
            try await door.ask(.get, "events") { answer in
                var table = TextTable("EVENT", "STATE", "SINCE")
                for event in answer["events"].elements ?? [] {
                    table.add(event["id"].cell, event["state"].cell, event["since"].cell)
                }
                let last = answer["reconciliation"]
                return table.text
                    + "\(answer["waiting"].cell) waiting; last compared with Stripe: \(last["ranAt"].cell)\n"
            }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Carry an event out again.")
        @Argument(help: "The event's id, evt_….") var event: String
        @OptionGroup var door: OperatorSession

        func run() async throws {
            try await door.ask(.post, "events/\(OperatorSession.segment(event))/replay") {
                "\(event): \($0["outcome"].cell)\n"
            }
        }
    }
}

/// `tollgate usage`
struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Export what users have called.", subcommands: [Export.self])

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Export a month of all users.")

        enum Format: String, ExpressibleByArgument, CaseIterable { case csv, json }

        @Option(help: "The month (YYYY-MM; default: this one).") var month: String?
        @Option(help: "csv or json.") var format: Format = .csv
        @OptionGroup var door: OperatorSession

        func run() async throws {
            let query = month.map { ["month": $0] } ?? [:]
            // Beside what is written to the same terminal it would only be in the way.
            let isWatched = Process.errorsGoToTerminal && !Process.outputGoesToTerminal
            var (lines, bytes) = (0, 0)
            try await door.send(.get, "usage", query: query, wantsCSV: format == .csv && !door.json) { part in
                Process.say(part)
                lines += part.utf8.count { $0 == UInt8(ascii: "\n") }
                bytes += part.utf8.count
                if isWatched { Process.complain("\r\u{1B}[K\(lines) lines, \(bytes / 1_000_000) MB") }
            }
            if isWatched { Process.complain("\r\u{1B}[K") }
        }
    }
}

/// `tollgate top`
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "top", abstract: "Who calls most today.")
    @Option(help: "How many users.") var limit = 20
    @OptionGroup var door: OperatorSession

    func run() async throws {
        try await door.ask(.get, "top", query: ["limit": "\(limit)"]) { answer in
            var table = TextTable("USER", "CALLS TODAY")
            for user in answer["users"].elements ?? [] { table.add(user["userId"].cell, user["calls"].cell) }
            return table.text
        }
    }
}

/// `tollgate config`
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "What is configured and where, without secrets.",
        discussion: "With --admin what a worker goes by just now, else what one that is started now would go by.")
    @OptionGroup var door: OperatorSession

    func run() async throws {
        try await door.ask(.get, "config") { answer in
            var table = TextTable("NAME", "VALUE", "SOURCE")
            for line in answer["settings"].elements ?? [] {
                table.add(line["name"].cell, line["value"].cell, line["source"].cell)
            }
            return table.text
        }
    }
}

/// `tollgate requests`
struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "What has become of the last requests.",
        discussion: """
            Workers tell of refusals and failures, and of some requests that passed, every few seconds. The access log has a \
            line of each.
            """)
    @Option(help: "Only those of this user.") var user: String?
    @Option(help: "Only the one with this X-Request-Id.") var id: String?
    @Option(help: "How many.") var limit = 20
    @OptionGroup var door: OperatorSession

    func run() async throws {
        let query = ["user": user, "id": id, "limit": "\(limit)"].compactMapValues(\.self)
        try await door.ask(.get, "requests", query: query) { answer in
            guard answer["requests"].elements?.isEmpty == false else {
                return
                    "None is known. Workers tell of them every five seconds, and of those that passed only of some; the access "
                    + "log has a line of each.\n"
            }
            var table = TextTable("TIME", "REQUEST", "STATUS", "VERDICT", "MS", "USER", "ROUTE", "PATH")
            for request in answer["requests"].elements ?? [] {
                table.add(
                    request["time"].cell, request["requestId"].cell, request["status"].cell, request["verdict"].cell,
                    request["durationMs"].cell, request["user"].cell, request["route"].cell, request["path"].cell)
            }
            return table.text
        }
    }
}

/// `tollgate audit`
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "audit", abstract: "What operators have changed.")
    @Option(help: "Entries on a page.") var limit = 50
    @Option(help: "The 'next' of the page before.") var before: String?
    @Option(help: "Only what was done to this user, token, event or alert.") var subject: String?
    @OptionGroup var door: OperatorSession

    func run() async throws {
        let query = ["limit": "\(limit)", "before": before, "subject": subject].compactMapValues(\.self)
        try await door.ask(.get, "audit", query: query) { answer in
            var table = TextTable("TIME", "WHO", "WHAT", "WHOM", "BEFORE", "AFTER")
            for entry in answer["entries"].elements ?? [] {
                table.add(
                    entry["time"].cell, entry["who"].cell, entry["action"].cell, entry["subject"].cell,
                    Self.cut(entry["before"].cell),
                    entry["state"].string == "begun" ? "(begun)" : Self.cut(entry["after"].cell))
            }
            return table.text + (answer["next"].string.map { "more: --before \($0)\n" } ?? "")
        }
    }
}

extension AuditCommand {
    /// --json has all of it.
    private static func cut(_ text: String) -> String { text.count > 60 ? text.prefix(59) + "…" : text }
}

/// `tollgate admin`
struct AdminCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin", abstract: "Who may use the admin port.", subcommands: [Token.self])

    struct Token: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tokens for the admin port.", subcommands: [Create.self, List.self, Revoke.self])

        struct Create: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Make a token, and print it alone on standard output: it is shown once.")
            @Option(help: "Whose it is, or what it is for.") var name: String
            @Option(help: "viewer, support or admin.") var role: String
            @Option(help: "When it ends, such as 90d.") var expires: String?
            @OptionGroup var door: OperatorSession

            func run() async throws {
                var days: Int?
                if let expires {
                    guard expires.hasSuffix("d"), let count = Int(expires.dropLast()) else {
                        throw ValidationError("--expires takes a number of days, such as 90d")
                    }
                    days = count
                }
                let body: JSON = [
                    "name": .string(name), "role": .string(role),
                    "expiresInDays": days.map { .integer($0) } ?? .null,
                ]
                try await door.ask(.post, "tokens", body: body) { "\($0["token"].cell)\n" }
            }
        }

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(abstract: "List the tokens, without their secrets.")
            @OptionGroup var door: OperatorSession

            func run() async throws {
                try await door.ask(.get, "tokens") { answer in
                    var table = TextTable("NAME", "ROLE", "CREATED", "EXPIRES")
                    for token in answer["tokens"].elements ?? [] {
                        table.add(
                            token["name"].cell, token["role"].cell, token["createdAt"].cell, token["expiresAt"].cell)
                    }
                    return table.text
                }
            }
        }

        struct Revoke: AsyncParsableCommand {
            static let configuration = CommandConfiguration(abstract: "End a token at once.")
            @Argument(help: "Its name.") var name: String
            @OptionGroup var door: OperatorSession

            func run() async throws {
                try await door.ask(.delete, "tokens/\(OperatorSession.segment(name))") { _ in "\(name) is revoked.\n" }
            }
        }
    }
}
