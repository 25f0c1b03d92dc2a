import ArgumentParser
import JSONValue
import TollgateServer

/// `tollgate users`
struct UsersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "users", abstract: "See users, and decide about them.",
        subcommands: [
            List.self, Show.self, Explain.self, Grant.self, Ungrant.self, Limit.self, Block.self, Unblock.self,
            Reset.self,
            Delete.self, Export.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List users, those who called last first.")

        @Option(help: "Only those with this plan.") var plan: String?
        @Option(help: "Only those who are active, blocked, limited, granted, past-due or used-up.") var state: String?
        @Option(help: "last-call, or usage: those who call most today.") var by = "last-call"
        @Option(help: "Users on a page.") var limit = 100
        @Option(help: "The 'next' of the page before.") var after: String?
        @OptionGroup var door: OperatorSession

        func run() async throws {
            let query = ["plan": plan, "state": state, "by": by, "limit": "\(limit)", "after": after].compactMapValues(
                \.self)
            try await door.ask(.get, "users", query: query) { answer in
                var table = TextTable("USER", "PLAN", "CALLS", "LIMIT", "SUBSCRIPTION", "BLOCKED", "LAST CALL")
                for user in answer["users"].elements ?? [] {
                    table.add(
                        user["userId"].cell, user["plan"].cell, user["calls"].cell, user["limit"].cell,
                        user["subscription"].cell, user["blocked"].cell, user["lastAdmittedAt"].cell)
                }
                let next = answer["next"].string.map { "more: --after \($0)\n" } ?? ""
                let total = answer["total"] == .null ? "" : counted(answer["total"], "user") + " in all\n"
                return table.text + total + next
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all about a user.")
        @OptionGroup var user: UserSession

        func run() async throws {
            try await user.ask(.get) { $0.lines() }
        }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Say why a user's next call passes or not.")
        @OptionGroup var user: UserSession
        @Option(help: "The name of the route that it is to; its cost and rate count then.") var route: String?

        func run() async throws {
            try await user.ask(.get, "/explain", query: route.map { ["route": $0] } ?? [:]) { answer in
                """
                \(answer["nextCall"].spoken)
                Plan \(answer["plan"]["name"].cell): \(answer["plan"]["reason"].cell)
                \(answer["plan"]["tokens"].cell)

                """
            }
        }
    }

    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a user calls on top of the quota.")
        @OptionGroup var user: UserSession
        @Option(help: "How many.") var calls: Int
        @Option(help: "Why, for other operators.") var reason: String?
        @Option(help: "The last day on which they count (YYYY-MM-DD).") var until: String?
        @Flag(help: "In each period, not only in the present one.") var everyPeriod = false

        func run() async throws {
            let body: JSON = [
                "calls": .integer(calls), "reason": .text(reason), "until": .text(until),
                "every": everyPeriod ? "period" : .null,
            ]
            try await user.change(.post, "/grants", body: body)
        }
    }

    struct Ungrant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a grant back.", discussion: "tollgate users show names the grants of a user.")
        @OptionGroup var user: UserSession
        @Argument(help: "The grant's id.") var grant: String

        func run() async throws {
            try await user.change(.delete, "/grants/\(OperatorSession.segment(grant))")
        }
    }

    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a user limits, or a plan, instead of what is bought.",
            discussion: """
                What is given takes the place of all that was given before: a quota alone takes a rate and an end away. \
                With --none those of the plan that is bought count again.
                """)
        @OptionGroup var user: UserSession
        @Option(help: "Calls in a period.") var quota: Int?
        @Option(help: "Requests in a minute.") var rate: Int?
        @Option(help: "The name of a plan.") var plan: String?
        @Option(help: "The last day on which they count (YYYY-MM-DD).") var until: String?
        @Option(help: "Why, for other operators.") var reason: String?
        @Flag(help: "Take them away.") var none = false

        func validate() throws {
            guard !none || (quota == nil && rate == nil && plan == nil && until == nil) else {
                throw ValidationError("--none takes all limits away: give it alone")
            }
        }

        func run() async throws {
            if none { return try await user.change(.delete, "/limits") }
            let body: JSON = [
                "plan": .text(plan), "quota": quota.map { .integer($0) } ?? .null,
                "ratePerMinute": rate.map { .integer($0) } ?? .null, "until": .text(until), "reason": .text(reason),
            ]
            try await user.change(.put, "/limits", body: body)
        }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse all calls of a user.")
        @OptionGroup var user: UserSession
        @Option(help: "Why: the caller is told.") var reason: String

        func run() async throws {
            try await user.change(.post, "/block", body: ["reason": .string(reason)]) { _ in
                "\(user.id) is blocked: \(reason)\n"
            }
        }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a user call again.")
        @OptionGroup var user: UserSession

        func run() async throws {
            try await user.change(.delete, "/block") { _ in "\(user.id) is not blocked.\n" }
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Begin a user's count of this period anew.")
        @OptionGroup var user: UserSession

        func run() async throws {
            try await user.ask(.post, "/reset") {
                "\(user.id) had \(counted($0["callsBefore"], "call")), and has none now.\n"
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete all that is known of a user.",
            discussion: "The audit keeps the user's id. Clerk and Stripe are not told.")
        @OptionGroup var user: UserSession
        @Flag(help: "Yes, delete.") var yes = false
        @Flag(help: "Also one whose subscription goes on.") var force = false

        func validate() throws {
            guard yes else { throw ValidationError("This cannot be undone: give --yes as well.") }
        }

        func run() async throws {
            let query = force ? ["force": "true"] : [:]
            try await user.ask(.delete, "", query: query) {
                "\(user.id) is deleted: \(counted($0["deletedRecords"], "record")) in Redis.\n"
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print all that is known of a user, as JSON.")
        @OptionGroup var user: UserSession

        func run() async throws {
            try await user.ask(.get, "/export") { $0.text + "\n" }
        }
    }
}
