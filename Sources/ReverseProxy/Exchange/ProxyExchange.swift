package import HTTPWire
package import NIOCore

/// Carries one request to an upstream and its answer back, on one event loop. What is to be done is decided by
/// ``ExchangeState``.
///
/// The embedder hands over the body as it arrives (``sendBody(_:)``, ``flushBody()``, ``endRequest(trailers:)``), reads
/// from the client only while ``takesBody``, says when the client's connection can take bytes and when not
/// (``clientWritabilityChanged(isWritable:)``) and when the client is gone (``clientGone()``). The delegate gets the
/// answer. Neither side's body is ever gathered: at most what one read brings waits in between.
///
/// Confined to its event loop.
package final class ProxyExchange: ConnectionUser {
    /// Nil when it must not be carried to any upstream.
    private let request: UpstreamRequest?
    private let route: ProxyRoute
    private let upstreams: LoopUpstreams
    private var state: ExchangeState
    private var delegate: (any ProxyExchangeDelegate)?

    /// The upstream of this try, and the connection to it once there is one.
    private var upstream: LoopUpstream?
    private var connection: UpstreamConnection?

    /// The 101 with which the tunnel begins, when its end has come.
    private var upgrade: ProxyAnswer?

    init(
        _ request: ProxyRequest, route: ProxyRoute, upstreams: LoopUpstreams, delegate: any ProxyExchangeDelegate
    ) {
        var terms = ExchangeState.Terms(
            timeouts: route.timeouts, retries: route.retries, maximumRequestBytes: route.maximumRequestBytes)
        do throws(RequestProblem) {
            let request = try UpstreamRequest(request, route: route)
            (terms.expectsContinue, terms.upgrades) = (request.expectsContinue, request.upgrades)
            self.request = request
            state = ExchangeState(terms, at: .now())
        } catch {
            self.request = nil
            state = ExchangeState(terms, problem: error, at: .now())
        }
        self.route = route
        self.upstreams = upstreams
        self.delegate = delegate
    }

    // MARK: For the embedder

    /// Begins. The delegate may be called before this returns.
    package func start(isClientWritable: Bool = true) {
        perform(state.begin(isClientWritable: isClientWritable, at: .now()))
    }

    /// Whether more is to be read from the client. When the request is complete, reading on shows whether the client is
    /// still there; of a client that waits for a change of protocol nothing is read.
    package var takesBody: Bool { state.takesBody }

    /// Whether the client is waited for: the upstream takes more of the body, and its word does not come first.
    package var awaitsBody: Bool { state.awaitsBody }

    /// A part of the request's body. After the end of the exchange it is dropped.
    package func sendBody(_ bytes: ByteBuffer) {
        switch state.bodyArrived(bytes, at: .now()) {
        case .nowhere, .held: break
        case .upstream: connection?.send(bytes, isChunked: isChunked)
        case .end(let ending): end(ending)
        }
    }

    /// What was handed over is to leave: to be called when the client's channel has no more for now.
    package func flushBody() { connection?.flush() }

    /// The request is complete.
    package func endRequest(trailers: FieldSection) {
        if state.requestEnded(trailers: trailers), let connection { sendEnd(on: connection) }
    }

    /// The client's connection can take bytes, or cannot for now.
    package func clientWritabilityChanged(isWritable: Bool) {
        if state.clientWritabilityChanged(isWritable: isWritable, at: .now()) { connection?.readMore() }
    }

    /// The client is gone: the request is abandoned, its connection to the upstream closed.
    package func clientGone() { perform(state.clientGone(at: .now())) }

    // MARK: Tries

    private func perform(_ next: ExchangeState.Next) {
        switch next {
        case .nothing: break
        case .attempt: attempt()
        case .retry(let verdict):
            connection.take()?.close()
            upstream.take()?.tryEnded(verdict, at: NIODeadline.now().uptimeNanoseconds)
            attempt()
        case .end(let ending): end(ending)
        }
    }

    private func attempt() {
        switch upstreams.beginTry(tried: state.tried) {
        case .failure(let error): perform(state.noUpstream(error, at: .now()))
        case .success((let index, let upstream)):
            self.upstream = upstream
            state.tryBegan(index: index)
            upstream.pool.acquire(for: self, connectTimeout: route.timeouts.connect)
        }
    }

    /// Whose share of the pool it counts for.
    var client: ClientShare? { delegate?.proxyExchangeClient(self) }

    private var isChunked: Bool { request?.framing == .chunked }

    /// The pool has a connection.
    func begin(on connection: UpstreamConnection) {
        let now = NIODeadline.now()
        guard let request, let upstream, let held = state.connected(isWritable: connection.isWritable, at: now) else {
            // It is not needed any more, and goes back as it is.
            connection.becameUnused()
            return
        }
        self.connection = connection
        connection.begin(self, isHead: request.isHead)
        connection.send(request.head(hostHeader: hostHeader(of: upstream.upstream)))
        for bytes in held { connection.send(bytes, isChunked: isChunked) }
        if state.isRequestComplete { sendEnd(on: connection) }
        if let deadline = deadline(now: now) { connection.checkDeadline(noLaterThan: deadline) }
        // What has come of the body already leaves together with the head.
        if takesBody { delegate?.proxyExchangeTakesBody(self) }
        connection.flush()
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
        let now = NIODeadline.now()
        state.requestSent(at: now)
        if isChunked { connection.sendLastChunk(state.trailers) }
        connection.flush()
        if let deadline = deadline(now: now) { connection.checkDeadline(noLaterThan: deadline) }
    }

    private var isIdempotent: Bool { request?.isIdempotent ?? false }

    /// There is no connection: nothing was sent.
    func upstreamUnavailable(_ error: ProxyError) {
        perform(state.unavailable(error, isIdempotent: isIdempotent, at: .now()))
    }

    func upstreamFailed(_ fault: UpstreamFault) {
        perform(state.failed(fault, isIdempotent: isIdempotent, at: .now()))
    }

    // MARK: The answer

    func upstreamSent(_ head: ResponseHead) {
        switch state.answered(head, at: .now()) {
        case .ignored: break
        case .interim: delegate?.proxyExchange(self, interim: answer(head, rules: HeaderRules()))
        case .final: delegate?.proxyExchange(self, answers: answer(head, rules: route.answerRules))
        case .upgrade(let protocols): upgrade = ProxyAnswer(head: head, rules: HeaderRules(), upgrades: protocols)
        case .end(let ending): end(ending)
        }
    }

    private func answer(_ head: ResponseHead, rules: HeaderRules) -> ProxyAnswer {
        var answer = ProxyAnswer(head: head, rules: rules, upgrades: [])
        if let upstream = upstream?.upstream, head.fields.contains(.location) {
            answer.locations = request?.locations(
                in: head.fields, upstream: upstream.hostHeader, hostHeader: hostHeader(of: upstream))
        }
        return answer
    }

    func upstreamSent(_ bytes: ByteBuffer) {
        state.answerBodyArrived(bytes.readableBytes, at: .now())
        delegate?.proxyExchange(self, body: bytes)
    }

    /// The answer is complete. After an interim one the final one is still to come.
    func upstreamEnded(_ trailers: FieldSection) {
        switch state.answerEnded(trailers: trailers, at: .now()) {
        case .interim: break
        case .tunnel: beginTunnel()
        case .end(let ending): end(ending)
        }
    }

    /// The upstream has nothing more for now. Gives whether more is to be read from it.
    func upstreamPaused() -> Bool {
        if state.takeFlush() { delegate?.proxyExchangeFlushes(self) }
        return state.takesAnswer
    }

    func upstreamWritabilityChanged(isWritable: Bool) {
        if state.upstreamWritabilityChanged(isWritable: isWritable, at: .now()) {
            delegate?.proxyExchangeTakesBody(self)
        }
    }

    private func beginTunnel() {
        guard let connection = connection.take(), let answer = upgrade.take() else { return }
        let tunnel = Tunnel(idleTimeout: route.timeouts.tunnelIdle) {
            connection.close()
            self.perform(self.state.tunnelEnded(at: .now()))
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

    // MARK: The end

    /// What the timer is to wait for next. Nil when the exchange has ended, perhaps just now, by its time.
    func deadline(now: NIODeadline) -> NIODeadline? {
        switch state.timePassed(at: now) {
        case .none: break
        case .wait(let until): return until
        case .end(let ending): end(ending)
        }
        return nil
    }

    private func end(_ ending: ExchangeState.Ending) {
        guard let delegate = delegate.take() else { return }
        let (connection, upstream) = (connection.take(), upstream.take())
        var outcome = ending.outcome
        outcome.upstream = upstream?.upstream.hostHeader
        switch ending.connection {
        case .none: break
        case .cancel: upstream?.pool.cancel(self)
        case .close: connection?.close()
        case .end(let isReusable): connection?.end(isReusable: isReusable)
        }
        upstream?.tryEnded(ending.verdict, at: NIODeadline.now().uptimeNanoseconds)
        delegate.proxyExchange(self, ended: outcome, trailers: ending.trailers)
    }
}

@available(*, unavailable)
extension ProxyExchange: Sendable {}

extension LoopUpstreams {
    /// An exchange that carries `request`; nothing happens before ``ProxyExchange/start(isClientWritable:)``. Call on
    /// the event loop.
    package func exchange(
        _ request: ProxyRequest, route: ProxyRoute, delegate: any ProxyExchangeDelegate
    ) -> ProxyExchange {
        eventLoop.preconditionInEventLoop()
        return ProxyExchange(request, route: route, upstreams: self, delegate: delegate)
    }
}
