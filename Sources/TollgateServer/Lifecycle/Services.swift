import Logging
import RedisClient
import ServiceLifecycle
import TollgateDataPlane
import TollgateStore

/// The first to hear of a shutdown: turns `/readyz` false and keeps serving for a while, so that load balancers stop
/// sending before the port closes.
struct DrainService: Service {
    let state: DrainState
    let seconds: Int
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        state.begin()
        logger.notice("draining", metadata: ["seconds": "\(seconds)"])
        try? await Task.sleep(for: .seconds(seconds))
    }
}

/// Connects to Redis, and closes the connections when every service that uses them has stopped.
struct RedisService: Service {
    let client: RedisClient

    /// Whether a service that uses the connections is still running.
    let isInUse: @Sendable () -> Bool

    /// How long they may take where they do not end first.
    private static let patience: Duration = .seconds(2)

    func run() async throws {
        client.start()
        try? await gracefulShutdown()
        await usersEnd()
        await client.shutDown()
    }

    /// In an orderly shutdown they have ended before. Where time is up all are cancelled at once, and what is broken
    /// off still lets go of what it holds in Redis.
    private func usersEnd() async {
        // A task of its own, for this one may have been cancelled: then it could not wait.
        await Task {
            let deadline = ContinuousClock.now + Self.patience
            while isInUse(), .now < deadline { try? await Task.sleep(for: .milliseconds(10)) }
        }.value
    }
}

/// Runs a loop in the background until shutdown. One that has nothing to do may return at once.
struct BackgroundService: Service {
    let operation: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown { await operation() }
        try? await gracefulShutdown()
    }
}
