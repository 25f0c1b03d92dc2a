import HTTPWire
import NIOCore

/// Asks an upstream again and again whether it is well.
///
/// Confined to its event loop.
final class CheckRunner: ProxyExchangeDelegate {
    private let check: UpstreamCheck
    private let verdict: CheckVerdict
    private let upstreams: LoopUpstreams
    private let request: ProxyRequest
    private let route: ProxyRoute
    private let changed: (_ isUp: Bool) -> Void
    private var exchange: ProxyExchange?
    private var isFirst = true
    private var begun = NIODeadline.now()

    /// - Parameter upstream: With connections apart from those for requests: an exhausted pool is no ill upstream.
    init(_ check: UpstreamCheck, of upstream: LoopUpstream, verdict: CheckVerdict, changed: @escaping (Bool) -> Void)
        throws
    {
        self.check = check
        self.verdict = verdict
        self.changed = changed
        upstreams = LoopUpstreams(
            eventLoop: upstream.eventLoop, members: [.init(upstream: upstream, weight: 1, verdict: nil)])
        let head = ByteBuffer(string: "GET \(check.path) HTTP/1.1\r\nHost: \(upstream.upstream.hostHeader)\r\n\r\n")
        request = ProxyRequest(
            head: try RequestHead(parsing: head), uri: check.path, host: upstream.upstream.hostHeader,
            client: ClientConnection(address: ""))
        route = ProxyRoute(
            // The request comes from no client, so it tells of none.
            requestRules: HeaderRules(
                remove: ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"]),
            timeouts: ProxyTimeouts(
                connect: check.timeout, firstByte: check.timeout, idle: check.timeout, total: check.timeout * 4),
            retries: RetryPolicy(maximumTries: 2), allowedUpgrades: [])
    }

    /// The first check is soon, to find out about an upstream that is down; the second is anywhere in the interval, so
    /// that the checks of many upstreams are spread over it, and stay so.
    func start() { schedule(in: .nanoseconds(.random(in: 0...min(check.interval, Self.soon).nanoseconds))) }

    private static let soon = TimeAmount.seconds(1)

    private func schedule(in delay: TimeAmount) {
        upstreams.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.ask() }
    }

    private func ask() {
        guard !verdict.isCancelled else { return }
        begun = .now()
        let exchange = upstreams.exchange(request, route: route, delegate: self)
        self.exchange = exchange
        exchange.start()
        exchange.endRequest(trailers: .none)
    }

    private func found(isUp: Bool) {
        if !verdict.isCancelled, verdict.set(isUp: isUp) { changed(isUp) }
    }

    private func scheduleNext() {
        exchange = nil
        var interval = check.interval
        if isFirst { interval = .nanoseconds(.random(in: 1...max(1, interval.nanoseconds))) }
        isFirst = false
        let now = NIODeadline.now()
        schedule(in: max(.zero, begun + interval - now))
    }

    // MARK: ProxyExchangeDelegate

    func proxyExchange(_ exchange: ProxyExchange, interim answer: ProxyAnswer) {}

    func proxyExchange(_ exchange: ProxyExchange, answers answer: ProxyAnswer) {
        found(isUp: (200..<400).contains(answer.status))
    }

    func proxyExchange(_ exchange: ProxyExchange, body bytes: ByteBuffer) {}
    func proxyExchangeFlushes(_ exchange: ProxyExchange) {}

    /// Not asked for, so it never comes.
    func proxyExchange(_ exchange: ProxyExchange, upgrades answer: ProxyAnswer, tunnel: Tunnel) { tunnel.close() }

    func proxyExchangeTakesBody(_ exchange: ProxyExchange) {}

    func proxyExchange(_ exchange: ProxyExchange, ended outcome: ProxyOutcome, trailers: FieldSection) {
        if outcome.status == nil {
            switch outcome.error {
            // It was not asked, so nothing was found out.
            case .unavailable, nil: break
            default: found(isUp: false)
            }
        }
        scheduleNext()
    }
}

@available(*, unavailable)
extension CheckRunner: Sendable {}
