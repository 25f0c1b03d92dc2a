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

    @OptionGroup var options: OperatorOptions

    @Flag(help: "Also where plans are sold at other prices here than by the workers.")
    var force = false

    func run() async throws {
        let configuration = try options.load()
        let command = ReconciliationCommand(
            configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Process.makeLogger(level: .warning, time: SystemClock()))
        do {
            let isWatched = Process.errorsGoToTerminal
            let clearLine = isWatched ? "\r\u{1B}[K" : ""
            let found = try await Process.cancelledBySignals { [force] in
                try await command.run(isForced: force) { checked, mended in
                    if isWatched {
                        Process.complain("\(clearLine)\(checked) subscriptions looked at, \(mended) mended")
                    }
                } onChange: { change in
                    Process.complain(clearLine)
                    Process.say("\(change)\n")
                }
            }
            Process.complain(clearLine)
            let noun = found.checked == 1 ? "subscription" : "subscriptions"
            Process.say("\(found.checked) \(noun) looked at, \(found.mended) mended\n")
            if found.missing > 0 {
                Process.say(
                    """
                    \(found.missing) whose period is over are unknown to Stripe; their users keep the plan. Is \
                    STRIPE_SECRET_KEY of the account that sold them?

                    """)
            }
            guard found.failures == 0 else {
                throw Process.fail("\(found.failures) could not be read or settled; the log lines above say why.")
            }
        } catch let failure as ExitCode {
            throw failure
        } catch let failure as RedisUnreachable {
            throw Process.fail("\(failure)", status: OperatorSession.ExitStatus.unavailable)
        } catch {
            throw Process.fail("\(error)")
        }
    }
}
