import ArgumentParser
import TollgateConfiguration
import TollgateServer

@main enum Program {
    static func main() async {
        if let problem = Tollgate.unknownCommand(in: CommandLine.arguments.dropFirst()) {
            Tollgate.exit(withError: Process.fail(problem, status: ExitCode.validationFailure.rawValue))
        }
        await Tollgate.main()
    }
}

/// The command line. Every command prints one line on standard error and ends with a status other than 0 when it
/// cannot do what it was asked.
struct Tollgate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tollgate",
        abstract: "A gateway that authenticates, rate-limits, meters and bills API traffic.",
        discussion: """
            'tollgate dev' runs everything offline, without an account anywhere.
            'tollgate serve' runs a worker in production; start as many as you like on one Redis.
            """,
        version: Version.current,
        subcommands: [
            ServeCommand.self, DevCommand.self, CheckConfigCommand.self, DoctorCommand.self,
            ReconcileCommand.self, UsersCommand.self, KeysCommand.self, SessionsCommand.self, EventsCommand.self,
            AlertsCommand.self, UsageCommand.self, TopCommand.self, RequestsCommand.self, AuditCommand.self,
            ConfigCommand.self, AdminCommand.self, HealthcheckCommand.self, VersionCommand.self,
        ])
}

/// `tollgate version`
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() { print("tollgate \(Version.current)") }
}

extension Tollgate {
    /// What is wrong when the words that begin `arguments` are no command, and what may be meant. The parser has such
    /// words for options alone.
    static func unknownCommand(in arguments: some Sequence<String>) -> String? {
        var (command, path): (any ParsableCommand.Type, [String]) = (Tollgate.self, ["tollgate"])
        for word in arguments {
            let commands = command.configuration.subcommands
            guard !word.hasPrefix("-"), word != "help", !commands.isEmpty else { return nil }
            guard let next = commands.first(where: { $0._commandName == word }) else {
                let remedy = Suggestion.remedy(for: word, among: commands.map { $0._commandName })
                return "there is no '\((path + [word]).joined(separator: " "))'. \(remedy)"
            }
            command = next
            path.append(word)
        }
        return nil
    }
}
