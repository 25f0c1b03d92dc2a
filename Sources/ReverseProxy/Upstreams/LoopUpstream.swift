import NIOCore
import NIOSSL

/// One upstream as one event loop sees it: its connections, and its verdict on the health. All routes that name the
/// upstream share it.
package final class LoopUpstream: @unchecked Sendable {
    // @unchecked Sendable, reason 1: every mutable property is read and written on `eventLoop` only, which each entry
    // point of the package checks with `preconditionInEventLoop`.

    let eventLoop: any EventLoop
    let upstream: Upstream
    let pool: UpstreamPool
    private var health: PassiveHealth
    private var breaker: CircuitBreaker
    private(set) var inFlight = 0

    init(
        _ upstream: Upstream, eventLoop: any EventLoop, settings: UpstreamSettings, tls: NIOSSLContext?
    ) {
        self.eventLoop = eventLoop
        self.upstream = upstream
        pool = UpstreamPool(
            eventLoop: eventLoop, upstream: upstream, policy: settings.pool, tls: upstream.usesTLS ? tls : nil,
            resolver: settings.resolver, reservedDescriptors: settings.reservedDescriptors)
        health = PassiveHealth(policy: settings.health)
        breaker = CircuitBreaker(policy: settings.breaker)
    }

    func shutDown() {
        eventLoop.preconditionInEventLoop()
        pool.shutDown()
    }

    /// What a try says about the upstream.
    enum End {
        case success
        case failure
        /// Ended by the client, or before the upstream was asked.
        case abandoned
    }

    /// Whether the breaker lets a request through.
    func breakerAdmits(at now: UInt64) -> Bool { breaker.admits(at: now) }

    /// Whether it has not failed too often of late.
    func isAvailable(at now: UInt64) -> Bool { health.isAvailable(at: now) }

    func tryBegan(at now: UInt64) {
        inFlight += 1
        health.requestBegan(at: now)
        breaker.requestBegan(at: now)
    }

    func tryEnded(_ end: End, at now: UInt64) {
        inFlight -= 1
        switch end {
        case .success:
            health.succeeded()
            breaker.requestEnded(failed: false, at: now)
        case .failure:
            health.failed(at: now)
            breaker.requestEnded(failed: true, at: now)
        case .abandoned:
            health.abandoned()
            breaker.abandoned()
        }
    }
}
