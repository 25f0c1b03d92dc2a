package import Logging
import ServiceLifecycle
import Synchronization
import TollgateCore

/// Reads the configuration again when its YAML file changes, or when it is told to, and hands over what is valid.
///
/// Whatever is wrong is logged, and what is in force stays. So it does when the file is gone or blank: that comes of an
/// editor, a mount or a full disk, and is not how an operator says that there are to be none.
package final class ConfigurationWatcher: Service {
    private let started: GatewayConfiguration
    private let interval: Duration
    private let logger: Logger
    private let apply: @Sendable (GatewayConfiguration) async -> Void
    private let looks: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation
    private let isAsked = Atomic<Bool>(false)

    /// - Parameters:
    ///   - configuration: What the worker was started with. It is loaded again from the same flags, environment and
    ///     directory.
    ///   - interval: Between two looks at the file. A change is taken over when it has lasted for one of them.
    ///   - apply: Is given each valid configuration, one after the other. Only its routes and plans are new to a worker that runs.
    package init(
        configuration: GatewayConfiguration, interval: Duration = .seconds(1), logger: Logger,
        apply: @escaping @Sendable (GatewayConfiguration) async -> Void
    ) {
        started = configuration
        self.interval = interval
        self.logger = logger
        self.apply = apply
        // One that waits is as good as many.
        (looks, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Has the configuration read again at once, whether its file changed or not. Returns before that is done.
    package func reload() {
        isAsked.store(true, ordering: .releasing)
        wakeUp.yield()
    }

    /// Watches until shutdown or cancellation. Can be called once.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.watch() }
    }

    private func watch() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [interval, wakeUp] in
                while (try? await Task.sleep(for: interval)) != nil { wakeUp.yield() }
            }
            var reload = ConfigurationReload(started.file)
            var told: [String] = []
            for await _ in looks {
                let wasAsked = isAsked.exchange(false, ordering: .acquiringAndReleasing)
                guard reload.look(FileIdentity(path: reload.file.path), isAsked: wasAsked),
                    let configuration = load(&reload)
                else { continue }
                tell(of: configuration.changes(since: started), told: &told)
                await apply(configuration)
            }
            group.cancelAll()
        }
    }

    /// What is valid now. Nil when what is in force has to stay.
    private func load(_ reload: inout ConfigurationReload) -> GatewayConfiguration? {
        do throws(InvalidConfiguration) {
            let configuration = try started.reloaded()
            if reload.take(configuration.file) {
                logger.notice("configuration read", metadata: ["routes": "\(configuration.routes.entries.count)"])
                return configuration
            }
            logger.error(
                "the configuration file is gone or blank; routes and plans stay as they are",
                metadata: ["file": "\(configuration.file.path)"])
        } catch {
            for problem in error.problems {
                logger.error(
                    "the configuration is not valid; routes and plans stay as they are",
                    metadata: ["problem": "\(problem)"])
            }
        }
        return nil
    }

    /// Once for the same settings.
    private func tell(of changes: [String], told: inout [String]) {
        defer { told = changes }
        if changes.isEmpty || changes == told { return }
        logger.warning(
            "only routes and plans are taken over while the worker runs; the other changes wait for its restart",
            metadata: ["settings": "\(changes.joined(separator: ", "))"])
    }
}
