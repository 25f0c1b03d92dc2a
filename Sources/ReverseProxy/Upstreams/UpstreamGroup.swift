package import NIOCore

/// The upstreams of a route, for all event loops of a worker. Every loop has connections and a verdict on the
/// upstreams of its own, so that no request waits for a lock or for another thread.
package final class UpstreamGroup: Sendable {
    /// Most upstreams of one group: those that were tried are remembered as the bits of a word.
    static let maximumUpstreams = 64

    private let loops: [ObjectIdentifier: LoopUpstreams]

    init(_ loops: [LoopUpstreams]) {
        self.loops = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
    }

    /// The upstreams as `eventLoop` sees them. Nil for a loop that the group was not made for. Any thread.
    package func on(_ eventLoop: any EventLoop) -> LoopUpstreams? { loops[ObjectIdentifier(eventLoop)] }
}

/// The upstreams of a route on one event loop.
package final class LoopUpstreams: Sendable {
    struct Member: Sendable {
        let upstream: LoopUpstream
        let weight: Int

        /// What the route's own check says. Nil when it has none.
        let verdict: CheckVerdict?

        var isUp: Bool { verdict?.isUp ?? true }
    }

    package let eventLoop: any EventLoop
    private let members: [Member]

    init(eventLoop: any EventLoop, members: [Member]) {
        precondition(
            members.count <= UpstreamGroup.maximumUpstreams,
            "a group has at most \(UpstreamGroup.maximumUpstreams) upstreams")
        self.eventLoop = eventLoop
        self.members = members
    }

    /// Idle and busy connections to all upstreams of this loop. Call on the event loop.
    package var connectionCounts: (idle: Int, busy: Int) {
        eventLoop.preconditionInEventLoop()
        return members.reduce(into: (0, 0)) { counts, member in
            counts.0 += member.upstream.pool.idleCount
            counts.1 += member.upstream.pool.busyCount
        }
    }

    /// Chooses an upstream and counts a request for it.
    ///
    /// - Parameter tried: Bit `n` is set when member `n` was tried by this request already.
    func beginTry(tried: UInt64) -> Result<(index: Int, upstream: LoopUpstream), ProxyError> {
        let now = NIODeadline.now().uptimeNanoseconds
        let candidates = members.lazy.map { member in
            let isOpen = member.isUp && member.upstream.breakerAdmits(at: now)
            return UpstreamChoice.Candidate(
                weight: member.weight, inFlight: member.upstream.inFlight,
                isAvailable: isOpen && member.upstream.isAvailable(at: now), isLastResort: isOpen)
        }
        var generator = SystemRandomNumberGenerator()
        guard
            let index = UpstreamChoice.choose(
                candidates, tried: tried, random: { Int.random(in: 0..<$0, using: &generator) })
        else { return .failure(.unavailable(members.contains(where: \.isUp) ? .circuitOpen : .noUpstream)) }
        let upstream = members[index].upstream
        upstream.tryBegan(at: now)
        return .success((index, upstream))
    }
}
