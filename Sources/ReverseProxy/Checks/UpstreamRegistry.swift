package import NIOCore
import NIOSSL
import Synchronization

/// All upstreams of a worker. Each has one pool, one breaker and one verdict on its health on every event loop, and one
/// check of each kind, however many routes name it; they outlive a change of the routes.
package final class UpstreamRegistry: Sendable {
    private struct CheckKey: Hashable {
        let upstream: Upstream
        let check: UpstreamCheck
    }

    private struct State {
        var tls: NIOSSLContext?
        var upstreams: [Upstream: [LoopUpstream]] = [:]
        var checks: [CheckKey: CheckVerdict] = [:]

        /// What the checks of each upstream go through: connections apart from those for requests.
        var checkers: [Upstream: LoopUpstream] = [:]
    }

    private let settings: UpstreamSettings
    private let eventLoops: [any EventLoop]
    private let healthChanged: @Sendable (Upstream, UpstreamCheck, _ isUp: Bool) -> Void
    private let state = Mutex(State())

    /// - Parameter healthChanged: Called when a check begins to say otherwise. Any thread.
    package init(
        settings: UpstreamSettings, eventLoops: [any EventLoop],
        healthChanged: @escaping @Sendable (Upstream, UpstreamCheck, _ isUp: Bool) -> Void = { _, _, _ in }
    ) {
        self.settings = settings
        self.eventLoops = eventLoops
        self.healthChanged = healthChanged
    }

    /// The groups for `routes`, each given by its members; nil for one without any. Upstreams and checks that were
    /// there already are kept, those that no route names are forgotten: requests in progress end with what they have.
    ///
    /// - Throws: `NIOSSLError` when the TLS settings are unusable; nothing is changed then.
    package func replace(with routes: [[UpstreamMember]]) throws -> [UpstreamGroup?] {
        try state.withLock { state in
            var next = State(tls: state.tls)
            if next.tls == nil, routes.contains(where: { $0.contains(where: \.upstream.usesTLS) }) {
                next.tls = try NIOSSLContext(configuration: settings.tls ?? .makeClientConfiguration())
            }
            var groups: [[UpstreamMember]: UpstreamGroup] = [:]
            for members in routes where !members.isEmpty && groups[members] == nil {
                groups[members] = group(of: members, in: &next, before: state)
            }
            for (key, verdict) in state.checks where next.checks[key] == nil { verdict.cancel() }
            for (key, verdict) in next.checks {
                let checker =
                    next.checkers[key.upstream] ?? state.checkers[key.upstream]
                    ?? makeChecker(of: key.upstream, tls: next.tls)
                next.checkers[key.upstream] = checker
                if state.checks[key] == nil { start(key, verdict, with: checker) }
            }
            state = next
            return routes.map { groups[$0] }
        }
    }

    private func group(of members: [UpstreamMember], in next: inout State, before: State) -> UpstreamGroup {
        let parts = members.map { member -> (loops: [LoopUpstream], weight: Int, verdict: CheckVerdict?) in
            let upstream = member.upstream
            let loops =
                next.upstreams[upstream] ?? before.upstreams[upstream]
                ?? eventLoops.map { LoopUpstream(upstream, eventLoop: $0, settings: settings, tls: next.tls) }
            next.upstreams[upstream] = loops
            let key = member.check.map { CheckKey(upstream: upstream, check: $0) }
            let verdict = key.map { next.checks[$0] ?? before.checks[$0] ?? CheckVerdict() }
            if let key { next.checks[key] = verdict }
            return (loops, member.weight, verdict)
        }
        return UpstreamGroup(
            eventLoops.indices.map { index in
                LoopUpstreams(
                    eventLoop: eventLoops[index],
                    members: parts.map { .init(upstream: $0.loops[index], weight: $0.weight, verdict: $0.verdict) })
            })
    }

    /// Its pool is large enough that no check waits, and it is asked however often it has failed.
    private func makeChecker(of upstream: Upstream, tls: NIOSSLContext?) -> LoopUpstream {
        var settings = settings
        settings.pool.clientSharePercent = 100
        settings.breaker.minimumRequests = .max
        return LoopUpstream(
            upstream, eventLoop: eventLoops[.random(in: eventLoops.indices)], settings: settings, tls: tls)
    }

    private func start(_ key: CheckKey, _ verdict: CheckVerdict, with checker: LoopUpstream) {
        let healthChanged = healthChanged
        checker.eventLoop.execute {
            // An invalid path was refused with the configuration.
            let runner = try? CheckRunner(key.check, of: checker, verdict: verdict) {
                healthChanged(key.upstream, key.check, $0)
            }
            runner?.start()
        }
    }

    /// Ends all checks, closes idle connections and takes no new requests; those in progress end in their own time.
    /// Any thread.
    package func shutDown() {
        state.withLock { state in
            for verdict in state.checks.values { verdict.cancel() }
            for upstream in state.upstreams.values.joined() + Array(state.checkers.values) {
                upstream.eventLoop.execute { upstream.shutDown() }
            }
            (state.checks, state.upstreams, state.checkers) = ([:], [:], [:])
        }
    }
}
