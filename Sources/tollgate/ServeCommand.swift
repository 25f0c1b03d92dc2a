import ArgumentParser
import Dispatch
import Logging
import NIOPosix
import TollgateConfiguration
import TollgateServer
import TollgateStore

/// `tollgate serve`: one worker, in production.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run a worker.",
        discussion: "Settings come from flags, the environment, .env and tollgate.yaml, in this order.")

    @OptionGroup var settings: SettingOptions

    func run() async throws {
        let configuration = try settings.load()
        let clock = RedisClock(systemClock: SystemClock())
        let logger = Process.makeLogger(
            level: configuration.logLevel, format: configuration.logFormat, time: clock)
        let eventLoopGroup = MultiThreadedEventLoopGroup(numberOfThreads: configuration.eventLoopCount)
        do {
            let gateway = try Gateway(
                configuration: configuration, clock: clock, eventLoopGroup: eventLoopGroup, logger: logger,
                accessLines: Process.accessSink(configuration))
            let deadline = ShutdownDeadline(
                seconds: configuration.drainSeconds + Gateway.maximumShutdownSeconds, logger: logger,
                hanging: { gateway.shutdownWaitsFor })
            let signals = deadline.watchSignals()
            defer { for signal in signals { signal.cancel() } }
            try await gateway.run()
        } catch let error as InvalidConfiguration {
            throw Process.fail(error)
        } catch {
            throw Process.fail("\(error)")
        }
        logger.notice("stopped")
    }
}

extension SettingOptions {
    /// Prints every problem and ends when there is one.
    func load() throws -> GatewayConfiguration {
        do {
            return try GatewayConfiguration.load(
                flags: values, environment: Process.environment, workingDirectory: Process.workingDirectory)
        } catch {
            throw Process.fail(error)
        }
    }
}
