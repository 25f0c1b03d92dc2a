import ArgumentParser
import TollgateServer

/// The command line. Every command prints one line on standard error and ends with a status other than 0 when it
/// cannot do what it was asked.
@main
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
            ReconcileCommand.self, UsersCommand.self, KeysCommand.self, EventsCommand.self, UsageCommand.self,
            TopCommand.self, AuditCommand.self, AdminCommand.self,
            HealthcheckCommand.self, VersionCommand.self,
        ])
}

/// `tollgate version`
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() { print("tollgate \(Version.current)") }
}
