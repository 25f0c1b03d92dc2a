import ArgumentParser
import JSONValue
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
            Workers do this by themselves once a day, and look every few minutes for events they were not told. With \
            --admin one of the workers does it now, and the command waits until it is done.
            """)

    @OptionGroup var door: OperatorSession

    @Flag(help: "Also where plans are sold at other prices here than by the workers.")
    var force = false

    func validate() throws {
        guard door.admin == nil || !force else {
            throw ValidationError("--force is for a command that goes to Stripe itself: give it without --admin")
        }
    }

    func run() async throws {
        if door.admin == nil { try await reconcileHere() } else { try await haveReconciled() }
    }

    /// How long a worker may take.
    private static let patience = Duration.seconds(30 * 60)

    /// Asks a worker for it, and waits.
    private func haveReconciled() async throws {
        var standing = try await door.answer(.post, "reconciliation")
        let clearLine = Process.errorsGoToTerminal ? "\r\u{1B}[K" : ""
        if Process.errorsGoToTerminal { Process.complain("a worker begins within half a minute") }
        let deadline = ContinuousClock.now + Self.patience
        while standing["isAwaited"] == .bool(true) {
            guard .now < deadline else {
                throw Process.fail("no worker has ended it within 30 minutes; their log says why. They go on with it.")
            }
            try await Task.sleep(for: .seconds(1))
            standing = try await door.answer(.get, "reconciliation")
        }
        Process.complain(clearLine)
        try tell(standing["last"])
    }

    private func tell(_ found: JSON) throws {
        Process.say(
            door.json
                ? found.text + "\n"
                : "\(counted(found["checked"], "subscription")) looked at, \(found["mended"].cell) mended\n")
        guard let failures = found["failures"].integer, failures > 0 else { return }
        throw Process.fail("\(failures) could not be read or settled; the log says why.")
    }

    private func reconcileHere() async throws {
        let configuration = try door.options.load()
        let command = ReconciliationCommand(
            configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Process.makeLogger(level: .warning, time: SystemClock()))
        do {
            let isWatched = Process.errorsGoToTerminal
            let clearLine = isWatched ? "\r\u{1B}[K" : ""
            let found = try await Process.cancelledBySignals { [force, isJSON = door.json] in
                try await command.run(isForced: force) { checked, mended in
                    if isWatched {
                        Process.complain("\(clearLine)\(checked) subscriptions looked at, \(mended) mended")
                    }
                } onChange: { change in
                    Process.complain(clearLine)
                    if !isJSON { Process.say("\(change)\n") }
                }
            }
            Process.complain(clearLine)
            if found.missing > 0 {
                Process.complain(
                    """
                    \(found.missing) whose period is over are unknown to Stripe; their users keep the plan. Is \
                    STRIPE_SECRET_KEY of the account that sold them?

                    """)
            }
            try tell([
                "checked": .integer(found.checked), "mended": .integer(found.mended),
                "missing": .integer(found.missing), "failures": .integer(found.failures),
            ])
        } catch let failure as ExitCode {
            throw failure
        } catch let failure as RedisUnreachable {
            throw Process.fail("\(failure)", status: OperatorSession.ExitStatus.unavailable)
        } catch {
            throw Process.fail("\(error)")
        }
    }
}
