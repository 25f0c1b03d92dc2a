import NIOCore
import NIOHTTP1

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
    private let expectsContinue: Bool
    private var stage = Stage.created

    // The request.
    private var held = CircularBuffer<ByteBuffer>()
    private var trailers: HTTPHeaders?
    private var isRequestComplete = false
    private var requestBytes = 0
    private var isRequestSent = false

    // The try.
    private var slot: Int?
    private var tried: UInt64 = 0
    private var tries = 0
    private var progress = RetryPolicy.Progress()
    private var lastActivity = NIODeadline.now()

    // The answer.
    private var status: Int?
    private var answerBytes = 0
    private var isKeptAlive = false
    private var upgradeHead: HTTPResponseHead?
    private var isClientWritable = true
    private var needsFlush = false

    init(
        _ request: ProxyRequest, route: ProxyRoute, upstreams: LoopUpstreams, delegate: any ProxyExchangeDelegate
    ) {
        self.request = Result { () throws(RequestProblem) in try UpstreamRequest(request, route: route) }
        self.route = route
        self.upstreams = upstreams
        self.delegate = delegate
        expectsContinue = request.head.headers.contains(name: "Expect")
    }

    // MARK: For the embedder

    /// Begins. The delegate may be called before this returns.
    package func start(isClientWritable: Bool = true) {
        guard case .created = stage else { return }
        self.isClientWritable = isClientWritable
        stage = .waiting
        if case .failure(let problem) = request { return finish(.request(problem), .abandoned) }
        guard upstreams.breakerAdmits() else {
            // It was not counted, so it is not to be reported.
            return finish(.unavailable(.circuitOpen), nil)
        }
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

    /// A part of the request's body. After the end of the exchange it is dropped.
    package func sendBody(_ bytes: ByteBuffer) {
        guard case .success(let request) = request, !isEnded else { return }
        requestBytes += bytes.readableBytes
        if let problem = problem(request.framing) { return finish(.request(problem), .abandoned) }
        lastActivity = .now()
        guard case .active(let connection) = stage else { return held.append(bytes) }
        progress.isBodySent = true
        connection.send(bytes)
    }

    private func problem(_ framing: RequestFraming) -> RequestProblem? {
        switch framing {
        case .noBody where requestBytes > 0: .bodyLengthMismatch
        case .length(let count) where requestBytes > count: .bodyLengthMismatch
        default: route.maximumRequestBytes.flatMap { requestBytes > $0 ? .bodyTooLarge(limitBytes: $0) : nil }
        }
    }

    /// What was handed over is to leave: to be called when the client's channel has no more for now.
    package func flushBody() {
        if case .active(let connection) = stage { connection.flush() }
    }

    /// The request is complete.
    package func endRequest(trailers: HTTPHeaders?) {
        guard case .success(let request) = request, !isEnded, !isRequestComplete else { return }
        if case .length(let count) = request.framing, requestBytes < count {
            return finish(.request(.bodyLengthMismatch), .abandoned)
        }
        isRequestComplete = true
        self.trailers = HeaderFilter.trailers(trailers)
        if case .active(let connection) = stage { sendEnd(on: connection) }
    }

    /// The client's connection can take bytes, or cannot for now.
    package func clientWritabilityChanged(isWritable: Bool) {
        isClientWritable = isWritable
        if isWritable, case .active(let connection) = stage {
            lastActivity = .now()
            connection.readMore()
        }
    }

    /// The client is gone: the request is abandoned, its connection to the upstream closed.
    package func clientGone() { finish(.clientGone, .abandoned) }

    private var isEnded: Bool { if case .ended = stage { true } else { false } }

    // MARK: Tries

    private func attempt() {
        guard let index = upstreams.beginTry(tried: tried) else {
            return finish(.unavailable(.noUpstream), .abandoned)
        }
        slot = index
        tried |= 1 << UInt64(index)
        tries += 1
        progress = RetryPolicy.Progress()
        upstreams[index].pool.acquire(for: self, connectTimeout: route.timeouts.connect)
    }

    /// The pool has a connection.
    func begin(on connection: UpstreamConnection) {
        guard case .waiting = stage, let slot, case .success(let request) = request else {
            // Nobody uses it; it goes back as it is.
            connection.becameUnused()
            return
        }
        stage = .active(connection)
        connection.begin(self)
        lastActivity = .now()
        progress.isHeadSent = true
        let upstream = upstreams[slot].upstream
        let hostHeader: String? =
            switch route.hostHeader {
            case .client: nil
            case .upstream: upstream.hostHeader
            case .fixed(let name): name
            }
        connection.send(request.head(hostHeader: hostHeader))
        while let bytes = held.popFirst() {
            progress.isBodySent = true
            connection.send(bytes)
        }
        if isRequestComplete { sendEnd(on: connection) } else { connection.flush() }
        if let deadline = deadline(now: lastActivity) { connection.checkDeadline(noLaterThan: deadline) }
        if takesBody { delegate?.proxyExchangeTakesBody(self) }
        connection.readMore()
    }

    private func sendEnd(on connection: UpstreamConnection) {
        lastActivity = .now()
        isRequestSent = true
        connection.sendEnd(trailers)
        connection.flush()
        if let deadline = deadline(now: lastActivity) { connection.checkDeadline(noLaterThan: deadline) }
    }

    /// There is no connection: nothing was sent.
    func upstreamUnavailable(_ error: ProxyError) {
        guard case .waiting = stage else { return }
        let isFault = if case .unavailable = error { false } else { true }
        tryFailed(error, isFault ? .failure : .abandoned, mayRetry: true)
    }

    func upstreamFailed(_ fault: UpstreamFault) {
        guard case .active = stage else { return }
        switch fault {
        case .closed where !progress.isAnswerBegun:
            tryFailed(.badGateway(.closedBeforeAnswer), .failure, mayRetry: true)
        case .closed, .truncated: tryFailed(.badGateway(.truncatedAnswer), .failure, mayRetry: false)
        case .malformed(let reason): tryFailed(.badGateway(.malformedAnswer(reason)), .failure, mayRetry: false)
        }
    }

    private func tryFailed(_ error: ProxyError, _ end: LoopUpstreams.End, mayRetry: Bool) {
        let isIdempotent = (try? request.get().isIdempotent) ?? false
        let isInTime = NIODeadline.now() < start + route.timeouts.total
        guard mayRetry, isInTime,
            route.retries.allowsRetry(tries: tries, isIdempotent: isIdempotent, progress: progress)
        else { return finish(error, end) }
        endTry(end)
        stage = .waiting
        isRequestSent = false
        attempt()
    }

    private func endTry(_ end: LoopUpstreams.End) {
        if case .active(let connection) = stage { connection.close() }
        if let slot { upstreams.endTry(slot, end) }
        slot = nil
    }

    // MARK: The answer

    func upstreamSent(_ head: HTTPResponseHead) {
        guard case .success(let request) = request else { return }
        lastActivity = .now()
        progress.isAnswerBegun = true
        var answer = HTTPResponseHead(
            version: .http1_1, status: head.status, headers: HeaderFilter.answer(head.headers))
        if head.status == .switchingProtocols {
            let protocols = head.headers["Upgrade"].flatMap(listMembers)
            guard isRequestSent, !protocols.isEmpty, protocols.allSatisfy(request.upgrades.contains) else {
                return finish(.badGateway(.unrequestedUpgrade), .failure)
            }
            answer.headers.add(name: "Connection", value: "Upgrade")
            answer.headers.add(name: "Upgrade", value: protocols.joined(separator: ", "))
            upgradeHead = answer
            return
        }
        if head.status.code < 200 {
            delegate?.proxyExchange(self, interim: answer)
            return
        }
        isKeptAlive = head.isKeepAlive
        route.answerRules.apply(to: &answer.headers)
        status = Int(head.status.code)
        needsFlush = true
        delegate?.proxyExchange(self, answers: answer)
    }

    func upstreamSent(_ bytes: ByteBuffer) {
        lastActivity = .now()
        answerBytes += bytes.readableBytes
        needsFlush = true
        delegate?.proxyExchange(self, body: bytes)
    }

    func upstreamEnded(_ trailers: HTTPHeaders?) {
        if let head = upgradeHead.take() { return beginTunnel(head) }
        finish(nil, .success, trailers: HeaderFilter.trailers(trailers))
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

    private func beginTunnel(_ head: HTTPResponseHead) {
        guard case .active(let connection) = stage else { return }
        status = Int(head.status.code)
        stage = .tunnel
        let tunnel = Tunnel(idleTimeout: route.timeouts.tunnelIdle) {
            connection.close()
            self.finish(nil, .success)
        }
        // First the 101, then what may have come behind it.
        delegate?.proxyExchange(self, upgrades: head, tunnel: tunnel)
        do {
            let eventLoop = upstreams.eventLoop
            try connection.becomeTunnel(tunnel.upstreamEnd).assumeIsolated().whenComplete { _ in
                tunnel.begin(on: eventLoop)
            }
        } catch {
            tunnel.close()
        }
    }

    // MARK: End

    private func finish(_ error: ProxyError?, _ end: LoopUpstreams.End?, trailers: HTTPHeaders? = nil) {
        guard !isEnded, let delegate = delegate.take() else { return }
        let outcome = ProxyOutcome(
            status: status, requestBytes: requestBytes, answerBytes: answerBytes,
            durationNanoseconds: (NIODeadline.now() - start).nanoseconds,
            upstream: slot.map { upstreams[$0].upstream.hostHeader }, retries: max(0, tries - 1), error: error)
        switch stage {
        case .active(let connection) where error == nil:
            connection.end(isReusable: isRequestSent && isKeptAlive)
        case .active(let connection): connection.close()
        case .waiting: if let slot { upstreams[slot].pool.cancel(self) }
        case .created, .tunnel, .ended: break
        }
        stage = .ended
        held.removeAll()
        if let slot, let end { upstreams.endTry(slot, end) }
        slot = nil
        if let end { upstreams.breakerHears(end) }
        delegate.proxyExchange(self, ended: outcome, trailers: trailers)
    }

    // MARK: Time

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
            finish(.gatewayTimeout(.total), .failure)
        } else if waitsForHead || (expectsContinue && !progress.isAnswerBegun && requestBytes == 0) {
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
