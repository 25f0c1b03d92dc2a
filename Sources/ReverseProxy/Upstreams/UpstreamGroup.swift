import NIOCore
import NIOSSL

/// The upstreams of one route, for all event loops of a worker. Every loop has connections and an opinion about the
/// upstreams of its own, so that no request waits for a lock or for another thread.
package final class UpstreamGroup: Sendable {
    package let settings: UpstreamGroupSettings
    private let members: [ObjectIdentifier: LoopUpstreams]

    /// - Throws: `NIOSSLError` when the TLS settings are unusable.
    package init(settings: UpstreamGroupSettings, eventLoops: some Sequence<any EventLoop>) throws {
        precondition(
            settings.upstreams.count <= UpstreamGroupSettings.maximumUpstreams,
            "a group has at most \(UpstreamGroupSettings.maximumUpstreams) upstreams")
        self.settings = settings
        let usesTLS = settings.upstreams.contains(where: \.usesTLS)
        let tls = usesTLS ? try NIOSSLContext(configuration: settings.tls ?? .makeClientConfiguration()) : nil
        var members: [ObjectIdentifier: LoopUpstreams] = [:]
        for eventLoop in eventLoops {
            members[ObjectIdentifier(eventLoop)] = LoopUpstreams(eventLoop: eventLoop, settings: settings, tls: tls)
        }
        self.members = members
    }

    /// The upstreams as `eventLoop` sees them. Nil for a loop that the group was not made for. Any thread.
    package func on(_ eventLoop: any EventLoop) -> LoopUpstreams? { members[ObjectIdentifier(eventLoop)] }

    /// Marks upstream number `index` as up or down on every loop: for active health checks. Any thread.
    package func mark(_ index: Int, isUp: Bool) {
        for member in members.values { member.eventLoop.execute { member.mark(index, isUp: isUp) } }
    }

    /// Closes idle connections and takes no new requests; those in progress end in their own time. Any thread.
    package func shutDown() {
        for member in members.values { member.eventLoop.execute { member.shutDown() } }
    }
}

/// The upstreams of a route on one event loop.
package final class LoopUpstreams: @unchecked Sendable {
    // @unchecked Sendable, reason 1: every mutable property is read and written on `eventLoop` only, which each entry
    // point checks with `preconditionInEventLoop`.

    struct Slot {
        let upstream: Upstream
        let pool: UpstreamPool
        var health: PassiveHealth
        var inFlight = 0
        var isMarkedDown = false
    }

    package let eventLoop: any EventLoop
    private var slots: [Slot]
    private var breaker: CircuitBreaker
    private var generator = SystemRandomNumberGenerator()

    init(eventLoop: any EventLoop, settings: UpstreamGroupSettings, tls: NIOSSLContext?) {
        self.eventLoop = eventLoop
        breaker = CircuitBreaker(policy: settings.breaker)
        slots = settings.upstreams.map { upstream in
            Slot(
                upstream: upstream,
                pool: UpstreamPool(
                    eventLoop: eventLoop, upstream: upstream, policy: settings.pool, tls: upstream.usesTLS ? tls : nil),
                health: PassiveHealth(policy: settings.health))
        }
    }

    /// An exchange that carries `request`; nothing happens before ``ProxyExchange/start()``. Call on the event loop.
    package func exchange(
        _ request: ProxyRequest, route: ProxyRoute, delegate: any ProxyExchangeDelegate
    ) -> ProxyExchange {
        eventLoop.preconditionInEventLoop()
        return ProxyExchange(request, route: route, upstreams: self, delegate: delegate)
    }

    /// Idle and busy connections to all upstreams of this loop, for metrics. Call on the event loop.
    package var connectionCounts: (idle: Int, busy: Int) {
        eventLoop.preconditionInEventLoop()
        return slots.reduce(into: (0, 0)) { counts, slot in
            counts.0 += slot.pool.idleCount
            counts.1 += slot.pool.busyCount
        }
    }

    func mark(_ index: Int, isUp: Bool) {
        eventLoop.preconditionInEventLoop()
        guard slots.indices.contains(index) else { return }
        slots[index].isMarkedDown = !isUp
    }

    func shutDown() {
        eventLoop.preconditionInEventLoop()
        for slot in slots { slot.pool.shutDown() }
    }

    subscript(index: Int) -> Slot { slots[index] }

    func breakerAdmits() -> Bool { breaker.admits(at: NIODeadline.now().uptimeNanoseconds) }

    func breakerHears(_ end: End) {
        switch end {
        case .success: breaker.requestEnded(failed: false, at: NIODeadline.now().uptimeNanoseconds)
        case .failure: breaker.requestEnded(failed: true, at: NIODeadline.now().uptimeNanoseconds)
        case .abandoned: breaker.abandoned()
        }
    }

    /// What a try says about the upstream.
    enum End {
        case success
        case failure
        /// Ended by the client.
        case abandoned
    }

    /// Chooses an upstream and counts a request for it.
    func beginTry(tried: UInt64) -> Int? {
        let now = NIODeadline.now().uptimeNanoseconds
        let candidates = slots.lazy.map { slot in
            UpstreamChoice.Candidate(
                weight: slot.upstream.weight, inFlight: slot.inFlight,
                isAvailable: !slot.isMarkedDown && slot.health.isAvailable(at: now), isLastResort: !slot.isMarkedDown)
        }
        guard
            let index = UpstreamChoice.choose(
                candidates, tried: tried, random: { Int.random(in: 0..<$0, using: &generator) })
        else { return nil }
        slots[index].inFlight += 1
        slots[index].health.requestBegan(at: now)
        return index
    }

    func endTry(_ index: Int, _ end: End) {
        slots[index].inFlight -= 1
        switch end {
        case .success: slots[index].health.succeeded()
        case .failure: slots[index].health.failed(at: NIODeadline.now().uptimeNanoseconds)
        case .abandoned: slots[index].health.abandoned()
        }
    }
}
