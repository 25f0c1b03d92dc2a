import Logging
import RedisClient
import ServiceLifecycle
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

/// Connects to Redis, and closes the connections when everybody who uses them has stopped.
struct RedisService: Service {
    let client: RedisClient

    func run() async throws {
        client.start()
        try? await gracefulShutdown()
        await client.shutDown()
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
