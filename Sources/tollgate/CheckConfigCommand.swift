import ArgumentParser
import Logging
import NIOPosix
import TollgateConfiguration
import TollgateServer

/// `tollgate check-config`: what a worker would run with, without running it.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration and print every setting with where it comes from.",
        discussion: """
            Ends with a verdict. Exits with status 0 when a worker would start with the configuration, with 78 when not, and \
            with 1 when --connect found something that does not answer.
            """)

    @OptionGroup var settings: SettingOptions

    @Flag(help: "Also try Redis, Clerk, Stripe, the upstreams and the mail server, as 'tollgate doctor' does.")
    var connect = false

    func run() async throws {
        let configuration: GatewayConfiguration
        do {
            configuration = try GatewayConfiguration.load(
                flags: settings.values, environment: Process.environment, workingDirectory: Process.workingDirectory)
        } catch {
            let failure = Process.fail(error)
            let count = error.problems.count
            Process.complain("tollgate: not valid: \(count == 1 ? "1 problem" : "\(count) problems")\n")
            throw failure
        }
        for line in configuration.describe() { Process.say(line + "\n") }
        for warning in configuration.warnings { Process.say("warning: \(warning)\n") }
        let report = connect ? await report(on: configuration) : nil
        if let report { Process.say("\n" + report.text + "\n") }
        Process.say(Self.verdict(warnings: configuration.warnings.count, report) + "\n")
        if report?.verdict == .fail { throw ExitCode(1) }
    }

    private func report(on configuration: GatewayConfiguration) async -> DoctorReport {
        await Doctor(
            configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Process.makeLogger(level: .critical, time: SystemClock())
        ).connect()
    }

    /// The last line.
    private static func verdict(warnings count: Int, _ report: DoctorReport?) -> String {
        let warnings = count == 0 ? "" : count == 1 ? ", with 1 warning" : ", with \(count) warnings"
        let reached =
            switch report?.verdict {
            case nil: ""
            case .fail: "; not everything answers as it has to"
            default: "; everything answers"
            }
        return "valid\(warnings)\(reached)"
    }
}
