import Logging
package import ServiceLifecycle
import Testing

/// Runs `body` while the service that `make` returns runs, with the URL of what it serves on 127.0.0.1.
package func withRunning<Running: Service>(
    isolation: isolated (any Actor)? = #isolation,
    _ make: (_ onRunning: @escaping @Sendable (Int) -> Void) -> Running,
    _ body: (Running, _ url: String) async throws -> Void
) async throws {
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    let service = make { port.yield($0) }
    let group = ServiceGroup(services: [service], logger: .silent)
    async let ended: Void = group.run()
    let url = try #require(await ports.first { _ in true }.map { "http://127.0.0.1:\($0)" })
    do {
        try await body(service, url)
        await group.triggerGracefulShutdown()
        try await ended
    } catch {
        await group.triggerGracefulShutdown()
        throw error
    }
}
