import ArgumentParser
import Logging
import NIOPosix
import TollgateCore
import TollgateServer

/// `tollgate reconcile`
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Go through all subscriptions at Stripe, and mend what Redis does not know.",
        discussion: """
            Workers do this by themselves once a day, and look every few minutes for events they were not told.
            """)

    @OptionGroup var settings: SettingOptions

    func run() async throws {
        let configuration = try settings.load()
        let command = ReconciliationCommand(
            configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Process.makeLogger(level: .error, time: SystemClock()))
        do {
            let isWatched = Process.errorsGoToTerminal
            let (checked, mended, failures) = try await command.run { checked, mended in
                if isWatched { Process.complain("\r\(checked) subscriptions looked at, \(mended) mended") }
            }
            if isWatched { Process.complain("\r") }
            Process.say("\(checked) subscriptions looked at, \(mended) mended\n")
            guard failures == 0 else {
                throw Process.fail("\(failures) could not be read or settled; the log lines above say why.")
            }
        } catch let failure as ExitCode {
            throw failure
        } catch {
            throw Process.fail("\(error)")
        }
    }
}
