import HTTPWire
import NIOCore

/// Carries one request to an upstream and its answer back, on one event loop.
///
/// The embedder hands over the body as it arrives (``sendBody(_:)``, ``flushBody()``, ``endRequest(trailers:)``), reads
/// from the client only while ``takesBody``, says when the client's connection can take bytes and when not
/// (``clientWritabilityChanged(isWritable:)``) and when the client is gone (``clientGone()``). The delegate gets the
/// answer. Neither side's body is ever gathered: at most what one read brings waits in between.
///
/// Confined to its event loop.
package final class ProxyExchange {
    private enum Stage {
        case created
        case waiting
        case active(UpstreamConnection)
        case tunnel
        case ended
    }

    private let request: Result<UpstreamRequest, RequestProblem>
    private let route: ProxyRoute
    private let upstreams: LoopUpstreams
    private var delegate: (any ProxyExchangeDelegate)?
    private let start = NIODeadline.now()
    private var stage = Stage.created

    // The request.
    private var held = CircularBuffer<ByteBuffer>()
    private var trailers = FieldSection.none
    private var isRequestComplete = false
    private var requestBytes = 0
    private var isRequestSent = false

    // The try.
    private var upstream: LoopUpstream?
    private var tryError: ProxyError?
    private var tried: UInt64 = 0
    private var tries = 0
    private var progress = RetryPolicy.Progress()
    private var lastActivity = NIODeadline.now()

    // The answer.
    private var status: Int?
    private var answerBytes = 0
    private var isKeptAlive = false
    private var upgrade: ProxyAnswer?
    private var isClientWritable = true
    private var clientBlockedSince: NIODeadline?
    private var longestBlock = TimeAmount.zero
    private var needsFlush = false

    init(
        _ request: ProxyRequest, route: ProxyRoute, upstreams: LoopUpstreams, delegate: any ProxyExchangeDelegate
    ) {
        self.request = Result { () throws(RequestProblem) in try UpstreamRequest(request, route: route) }
        self.route = route
        self.upstreams = upstreams
        self.delegate = delegate
    }

    // MARK: For the embedder

    /// Begins. The delegate may be called before this returns.
    package func start(isClientWritable: Bool = true) {
        guard case .created = stage else { return }
        self.isClientWritable = isClientWritable
        stage = .waiting
        if case .failure(let problem) = request { return finish(.request(problem), .abandoned) }
        attempt()
    }

    /// Whether more is to be read from the client. When the request is complete, reading on shows whether the client is
    /// still there; of a client that waits for a change of protocol nothing is read.
    package var takesBody: Bool {
        guard case .success(let request) = request else { return false }
        switch stage {
        case .active(let connection): return isRequestComplete ? request.upgrades.isEmpty : connection.isWritable
        case .waiting: return isRequestComplete && request.upgrades.isEmpty
        case .created, .tunnel: return false
        case .ended: return true
        }
    }

    /// Whether the client is waited for: the upstream takes more of the body, and its word does not come first.
    package var awaitsBody: Bool {
        guard case .active(let connection) = stage, !isRequestComplete else { return false }
        return connection.isWritable && (requestBytes > 0 || !waitsForContinue)
    }

    /// A part of the request's body. After the end of the exchange it is dropped.
    package func sendBody(_ bytes: ByteBuffer) {
        guard case .success(let request) = request, !isEnded else { return }
        requestBytes += bytes.readableBytes
        if let limit = route.maximumRequestBytes, requestBytes > limit {
            return finish(.request(.bodyTooLarge(limitBytes: limit)), .abandoned)
        }
        lastActivity = .now()
        guard case .active(let connection) = stage else { return held.append(bytes) }
        progress.isBodySent = true
        connection.send(bytes, isChunked: request.framing == .chunked)
    }

    /// What was handed over is to leave: to be called when the client's channel has no more for now.
    package func flushBody() {
        if case .active(let connection) = stage { connection.flush() }
    }

    /// The request is complete.
    package func endRequest(trailers: FieldSection) {
        guard !isEnded, !isRequestComplete else { return }
        isRequestComplete = true
        self.trailers = trailers
        if case .active(let connection) = stage { sendEnd(on: connection) }
    }

    /// The client's connection can take bytes, or cannot for now.
    package func clientWritabilityChanged(isWritable: Bool) {
        isClientWritable = isWritable
        let now = NIODeadline.now()
        guard isWritable else { return clientBlockedSince = now }
        if let blocked = clientBlockedSince.take() { longestBlock = max(longestBlock, now - blocked) }
        if case .active(let connection) = stage {
            lastActivity = now
            connection.readMore()
        }
    }

    /// The client is gone: the request is abandoned, its connection to the upstream closed.
    package func clientGone() { finish(.clientGone, .abandoned) }

    private var isEnded: Bool { if case .ended = stage { true } else { false } }

    // MARK: Tries

    private func attempt() {
        switch upstreams.beginTry(tried: tried) {
        // Why the last try failed says more than that there is no further one.
        case .failure(let error): finish(tryError ?? error, .abandoned)
        case .success((let index, let upstream)):
            self.upstream = upstream
            tried |= 1 << UInt64(index)
            tries += 1
            progress = RetryPolicy.Progress()
            upstream.pool.acquire(for: self, connectTimeout: route.timeouts.connect)
        }
    }

    /// Whose share of the pool it counts for.
    var client: ClientShare? { delegate?.proxyExchangeClient(self) }

    /// The pool has a connection.
    func begin(on connection: UpstreamConnection) {
        guard case .waiting = stage, let upstream, case .success(let request) = request else {
            // Nobody uses it; it goes back as it is.
            connection.becameUnused()
            return
        }
        stage = .active(connection)
        connection.begin(self, isHead: request.isHead)
        lastActivity = .now()
        progress.isHeadSent = true
        connection.send(request.head(hostHeader: hostHeader(of: upstream.upstream)))
        while let bytes = held.popFirst() {
            progress.isBodySent = true
            connection.send(bytes, isChunked: request.framing == .chunked)
        }
        if isRequestComplete { sendEnd(on: connection) } else { connection.flush() }
        if let deadline = deadline(now: lastActivity) { connection.checkDeadline(noLaterThan: deadline) }
        if takesBody { delegate?.proxyExchangeTakesBody(self) }
        connection.readMore()
    }

    /// What the upstream is told to be called. Nil for what the client calls it.
    private func hostHeader(of upstream: Upstream) -> String? {
        switch route.hostHeader {
        case .client: nil
        case .upstream: upstream.hostHeader
        case .fixed(let name): name
        }
    }

    private func sendEnd(on connection: UpstreamConnection) {
        lastActivity = .now()
        isRequestSent = true
        if case .success(let request) = request, request.framing == .chunked { connection.sendLastChunk(trailers) }
        connection.flush()
        if let deadline = deadline(now: lastActivity) { connection.checkDeadline(noLaterThan: deadline) }
    }

    /// There is no connection: nothing was sent.
    func upstreamUnavailable(_ error: ProxyError) {
        guard case .waiting = stage else { return }
        tryFailed(error, mayRetry: true)
    }

    func upstreamFailed(_ fault: UpstreamFault) {
        guard case .active = stage else { return }
        switch fault {
        case .closed where !progress.isAnswerBegun:
            tryFailed(.badGateway(.closedBeforeAnswer), mayRetry: true)
        case .closed, .truncated: tryFailed(.badGateway(.truncatedAnswer), mayRetry: false)
        case .malformed(let reason): tryFailed(.badGateway(.malformedAnswer(reason)), mayRetry: false)
        }
    }

    private func tryFailed(_ error: ProxyError, mayRetry: Bool) {
        let end = verdict(on: error)
        let isIdempotent = (try? request.get().isIdempotent) ?? false
        let isInTime = NIODeadline.now() < start + route.timeouts.total
        guard mayRetry, isInTime,
            route.retries.allowsRetry(tries: tries, isIdempotent: isIdempotent, progress: progress)
        else { return finish(error, end) }
        endTry(end)
        tryError = error
        stage = .waiting
        isRequestSent = false
        attempt()
    }

    private func endTry(_ end: LoopUpstream.End) {
        if case .active(let connection) = stage { connection.close() }
        upstream.take()?.tryEnded(end, at: NIODeadline.now().uptimeNanoseconds)
    }

    // MARK: The answer

    func upstreamSent(_ head: ResponseHead) {
        guard case .success(let request) = request else { return }
        lastActivity = .now()
        progress.isAnswerBegun = true
        if head.status == 101 { return upstreamUpgrades(head, asked: request.upgrades) }
        var answer = ProxyAnswer(
            head: head, rules: head.status < 200 ? HeaderRules() : route.answerRules, upgrades: [])
        if let upstream = upstream?.upstream, head.fields.contains(.location) {
            answer.locations = request.locations(
                in: head.fields, upstream: upstream.hostHeader, hostHeader: hostHeader(of: upstream))
        }
        if head.status < 200 {
            delegate?.proxyExchange(self, interim: answer)
            return
        }
        isKeptAlive = head.isKeptAlive
        status = head.status
        needsFlush = true
        delegate?.proxyExchange(self, answers: answer)
    }

    private func upstreamUpgrades(_ head: ResponseHead, asked: [String]) {
        let protocols = head.fields.members(.upgrade)
        guard isRequestSent, !protocols.isEmpty, protocols.allSatisfy(asked.contains) else {
            return finish(.badGateway(.unrequestedUpgrade), .failure)
        }
        upgrade = ProxyAnswer(head: head, rules: HeaderRules(), upgrades: protocols)
    }

    func upstreamSent(_ bytes: ByteBuffer) {
        lastActivity = .now()
        answerBytes += bytes.readableBytes
        needsFlush = true
        delegate?.proxyExchange(self, body: bytes)
    }

    /// The answer is complete. After an interim one the final one is still to come.
    func upstreamEnded(_ trailers: FieldSection) {
        if let answer = upgrade.take() { return beginTunnel(answer) }
        guard status != nil else { return }
        finish(nil, .success, trailers: trailers)
    }

    /// The upstream has nothing more for now. Gives whether more is to be read from it.
    func upstreamPaused() -> Bool {
        if needsFlush {
            needsFlush = false
            delegate?.proxyExchangeFlushes(self)
        }
        return isClientWritable
    }

    func upstreamBecameWritable() {
        guard !isRequestComplete else { return }
        lastActivity = .now()
        delegate?.proxyExchangeTakesBody(self)
    }

    // MARK: Tunnel

    private func beginTunnel(_ answer: ProxyAnswer) {
        guard case .active(let connection) = stage else { return }
        status = answer.status
        stage = .tunnel
        let tunnel = Tunnel(idleTimeout: route.timeouts.tunnelIdle) {
            connection.close()
            self.finish(nil, .success)
        }
        // First the 101, then what may have come behind it.
        delegate?.proxyExchange(self, upgrades: answer, tunnel: tunnel)
        do {
            try connection.becomeTunnel(tunnel)
            tunnel.begin(on: upstreams.eventLoop)
        } catch {
            tunnel.close()
        }
    }

    // MARK: End

    private func finish(_ error: ProxyError?, _ end: LoopUpstream.End, trailers: FieldSection = .none) {
        guard !isEnded, let delegate = delegate.take() else { return }
        let outcome = ProxyOutcome(
            status: status, requestBytes: requestBytes, answerBytes: answerBytes,
            durationNanoseconds: (NIODeadline.now() - start).nanoseconds,
            upstream: upstream?.upstream.hostHeader, retries: max(0, tries - 1), error: error,
            isAsked: isAsked, isUpstreamFailure: (status ?? 0) >= 500 || error.map(isUpstreamFailure) == true)
        switch stage {
        case .active(let connection) where error == nil:
            connection.end(isReusable: isRequestSent && isKeptAlive)
        case .active(let connection): connection.close()
        case .waiting: upstream?.pool.cancel(self)
        case .created, .tunnel, .ended: break
        }
        stage = .ended
        held.removeAll()
        upstream.take()?.tryEnded(end, at: NIODeadline.now().uptimeNanoseconds)
        delegate.proxyExchange(self, ended: outcome, trailers: trailers)
    }

    private var isAsked: Bool {
        switch stage {
        case .active, .tunnel: true
        case .created, .waiting, .ended: false
        }
    }

    /// How long a client may take nothing before it is the cause of an answer that is cut off: servers hang up on
    /// clients that do not read.
    private static let patienceOfUpstreams = TimeAmount.seconds(5)

    /// What a try that ends in `error` says about the upstream: nothing when the client has a part in it, or one client
    /// could take the upstream out of service for all others.
    private func verdict(on error: ProxyError) -> LoopUpstream.End {
        if case .unavailable = error { return .abandoned }
        return isUpstreamFailure(error) ? .failure : .abandoned
    }

    private func isUpstreamFailure(_ error: ProxyError) -> Bool {
        switch error {
        case .request, .clientStalled, .clientGone: false
        // Servers hang up on clients that keep back the rest of a body, too.
        case .badGateway(.closedBeforeAnswer): !awaitsBody
        case .badGateway(.truncatedAnswer):
            !awaitsBody
                && max(longestBlock, clientBlockedSince.map { .now() - $0 } ?? .zero) < Self.patienceOfUpstreams
        // How fast the whole goes is up to the client, too: only one that has waited for an answer has no part in it.
        case .gatewayTimeout(.total): isRequestSent && status == nil
        case .badGateway, .gatewayTimeout, .unavailable: true
        }
    }

    // MARK: Time

    /// The client waits for the upstream's word before it sends the body.
    private var waitsForContinue: Bool {
        guard case .success(let request) = request else { return false }
        return request.expectsContinue && !progress.isAnswerBegun
    }

    /// What the timer is to wait for next. Nil when the exchange has ended, perhaps just now, by its time.
    func deadline(now: NIODeadline) -> NIODeadline? {
        guard case .active(let connection) = stage else { return nil }
        let timeouts = route.timeouts
        let waitsForHead = isRequestSent && !progress.isAnswerBegun
        let phaseEnd = lastActivity + (waitsForHead ? timeouts.firstByte : timeouts.idle)
        let totalEnd = start + timeouts.total
        let end = min(phaseEnd, totalEnd)
        guard now >= end else { return end }
        if now >= totalEnd {
            finish(.gatewayTimeout(.total), verdict(on: .gatewayTimeout(.total)))
        } else if waitsForHead || (waitsForContinue && requestBytes == 0) {
            finish(.gatewayTimeout(.firstByte), .failure)
        } else if isRequestSent ? !isClientWritable : connection.isWritable {
            finish(.clientStalled, .abandoned)
        } else {
            finish(.gatewayTimeout(.idle), .failure)
        }
        return nil
    }
}

@available(*, unavailable)
extension ProxyExchange: Sendable {}

extension Upstream {
    /// `host:port`, without a port that goes without saying.
    var hostHeader: String { port == (usesTLS ? 443 : 80) ? host : "\(host):\(port)" }
}
