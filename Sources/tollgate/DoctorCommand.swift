import ArgumentParser
import JSONValue
import Logging
import NIOPosix
import TollgateConfiguration
import TollgateDataPlane
import TollgateServer

/// `tollgate doctor`: whether everything that a worker depends on is as it should be, without running one.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examine what 'tollgate serve' would meet with the same settings, and say what to do.",
        discussion: """
            Exits with status 0 when all is well, 1 with warnings, and 2 with failures. Writes nothing but what users of
            its own leave behind, and takes that away again.
            """)

    @OptionGroup var settings: SettingOptions

    @Flag(help: "Print JSON instead of lines.")
    var json = false

    func run() async throws {
        let report = await report()
        Process.say(json ? report.json.text + "\n" : report.text)
        guard report.exitStatus == 0 else { throw ExitCode(report.exitStatus) }
    }

    private func report() async -> DoctorReport {
        let configuration: GatewayConfiguration
        do {
            configuration = try GatewayConfiguration.load(
                flags: settings.values, environment: Process.environment, workingDirectory: Process.workingDirectory)
        } catch {
            return DoctorReport(error)
        }
        // What the parts would log is what the report says.
        let logger = Process.makeLogger(level: .critical, time: SystemClock())
        let doctor = Doctor(
            configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        return await doctor.examine()
    }
}
