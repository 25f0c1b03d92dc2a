import HTTPTypes
import HTTPWire
import Logging
import NIOCore
package import ReverseProxy
import TollgateCore

/// Carrying an admitted request to an upstream, and its answer back.
extension GatewayRequest: ProxyExchangeDelegate {
    func carry(by route: ActiveRoute) {
        guard let upstreams = route.group?.on(loop.eventLoop) else {
            return refuse(.internalError(cause: "the route has no upstreams on this event loop"))
        }
        let keys = KeysInHead(head, opener: openingField)
        let clean: (head: RequestHead, uri: String)
        do throws(APIError) {
            clean = try keys.withoutStrays(head, uri: upstreamURI(route), host: address.host)
        } catch {
            return refuse(error)
        }
        let request = ProxyRequest(
            head: clean.head, uri: clean.uri, host: address.host, client: peer.connection, identity: identity,
            requestID: requestID, withheld: keys.withheld, subprotocols: subprotocol?.others)
        let exchange = upstreams.exchange(request, route: route.proxy, delegate: self)
        self.exchange = exchange
        if flow.keepsAnswer { capture = AnswerCapture() }
        exchange.start(isClientWritable: connection.isWritable)
        if let gathered, gathered.bytes.readableBytes > 0 { exchange.sendBody(gathered.bytes) }
        connection.responderTakesBody()
    }

    private var identity: CallerIdentity {
        guard let principal = flow.principal else { return CallerIdentity() }
        return CallerIdentity(
            user: principal.userID.value, platform: principal.credential.platformID,
            plan: flow.admitted?.decision.usage.plan, keyID: principal.credential.keyID?.value)
    }

    /// The field with the key that opened the gateway, which no upstream may learn. A session token is passed on: it
    /// is signed, short-lived, and tells the upstream more.
    private var openingField: WithheldFields {
        // Fields beside a ticket or a subprotocol were not looked at.
        guard let principal = flow.principal, principal.credential.isKey, !flow.isOutsideFields else { return [] }
        return head.fields.contains(.apiKey) ? .apiKey : .authorization
    }

    /// What the upstream is asked for: without the ticket, whether or not it was looked at.
    private func upstreamURI(_ route: ActiveRoute) -> String {
        let uri = route.uri(address.target)
        return address.target.query == nil ? uri : Ticket.parameter.removed(from: uri)
    }

    // MARK: ProxyExchangeDelegate

    func proxyExchange(_ exchange: ProxyExchange, interim answer: ProxyAnswer) {
        guard !flow.isOver, !connection.isAnswerToHTTP10, answer.status != 100 || !hasContinued else { return }
        var head = ByteBuffer()
        answer.write(to: &head)
        head.writeLineEnd()
        connection.write(head)
        connection.flush()
        // It may have been the word that the client waits for.
        connection.responderTakesBody()
    }

    func proxyExchange(_ exchange: ProxyExchange, answers answer: ProxyAnswer) {
        if capture?.begin(answer) == false { endCapture() }
        guard !flow.isOver else { return }
        var head = ByteBuffer()
        head.reserveCapacity(1024)
        answer.write(to: &head, withoutRateLimits: flow.admitted != nil)
        if answer.lacksDate { dataPlane.answers.clock.writeDate(to: &head) }
        writeGatewayFields(to: &head)
        let isUnbounded = answer.framing == .chunked || answer.framing == .untilClose
        let isChunked = isUnbounded && !connection.isAnswerToHTTP10
        if isChunked { head.writeStaticString("Transfer-Encoding: chunked\r\n") }
        // HTTP/1.0 knows no chunks: there the end of the connection is the end of the body.
        connection.endHead(&head, asksToClose: isUnbounded && !isChunked)
        outgoing.begin(head, isChunked: isChunked)
    }

    func proxyExchange(_ exchange: ProxyExchange, body bytes: ByteBuffer) {
        if capture?.append(bytes) == false { endCapture() }
        guard !flow.isOver else { return }
        for piece in outgoing.body(bytes) { connection.write(piece) }
    }

    func proxyExchangeFlushes(_ exchange: ProxyExchange) {
        guard !flow.isOver else { return }
        let waiting = outgoing.take()
        if waiting.readableBytes > 0 { connection.write(waiting) }
        connection.flush()
    }

    func proxyExchange(_ exchange: ProxyExchange, upgrades answer: ProxyAnswer, tunnel: Tunnel) {
        capture = nil
        // It has what it has asked for, and may keep it for longer than any lease.
        settle(.keep)
        guard !flow.isOver, let context = connection.context else { return tunnel.close() }
        var head = ByteBuffer()
        answer.write(to: &head)
        writeSubprotocol(of: answer, to: &head)
        writeGatewayFields(to: &head)
        head.writeLineEnd()
        connection.write(head)
        connection.flush()
        do {
            try tunnel.attach(
                to: context.pipeline, early: connection.takeEarlyBytes(), hasInputEnded: connection.hasClientStopped)
        } catch {
            tunnel.close()
        }
    }

    func proxyExchangeTakesBody(_ exchange: ProxyExchange) { connection.responderTakesBody() }

    func proxyExchangeClient(_ exchange: ProxyExchange) -> ClientShare? { peer.share(of: head.fields) }

    func proxyExchange(_ exchange: ProxyExchange, ended outcome: ProxyOutcome, trailers: FieldSection) {
        settle(outcome)
        dataPlane.proxyMetrics.ended(outcome)
        dataPlane.routing.outages.ended(outcome)
        if outcome.isUpstreamFailure, let upstream = outcome.upstream {
            dataPlane.routing.metrics.upstreamFailed(upstream)
        }
        // Nothing is left to be said to a client that has gone, or that speaks another protocol now.
        if flow.isOver || outcome.error == .clientGone || outcome.status == 101 {
            let hasLeft = outcome.status != 101
            log(
                status: hasLeft ? 0 : 101, verdict: hasLeft ? "client-gone" : passingVerdict, outcome: outcome)
            return ended()
        }
        if let error = outcome.error {
            guard outcome.status == nil else {
                ended()
                logCutOff(error)
                log(status: outcome.status ?? 0, verdict: "cut-off", outcome: outcome, cause: error.words)
                return connection.abort()
            }
            return refuse(APIError(error), after: outcome)
        }
        outgoing.end(trailers: trailers) { HeaderFilter.passesInTrailers($0, of: trailers) }
        let waiting = outgoing.take()
        if waiting.readableBytes > 0 { connection.write(waiting) }
        ended()
        connection.answerEnded()
        count(status: outcome.status ?? 0)
        log(status: outcome.status ?? 0, verdict: passingVerdict, outcome: outcome)
    }
}

extension GatewayRequest {
    /// What its client will ask for again is carried on without it, while there is a chance that the answer can be kept.
    var carriesOnAlone: Bool { capture != nil && isBodyComplete }

    /// The answer is too long to be kept, or cannot be kept.
    private func endCapture() {
        guard capture != nil else { return }
        capture = nil
        if flow.isOver { exchange?.clientGone() }
    }

    /// Chooses the gateway's own subprotocol where a browser would otherwise fail.
    private func writeSubprotocol(of answer: ProxyAnswer, to head: inout ByteBuffer) {
        guard subprotocol?.offersName == true, !answer.head.fields.contains(.webSocketProtocol) else { return }
        head.writeField("Sec-WebSocket-Protocol", BearerSubprotocol.name)
    }

    private func settle(_ outcome: ProxyOutcome) {
        guard outcome.isOwed else { return settle(.giveBack) }
        let answer = outcome.error == nil ? capture?.answer : nil
        settle(answer.map { .keepAndReplay($0) } ?? .keep)
    }

    /// The client has seen the beginning of an answer; why there is no end to it, only the log can say.
    private func logCutOff(_ error: ProxyError) {
        dataPlane.logger.warning(
            "answer cut off", metadata: ["request": "\(requestID)", "path": "\(logName)", "cause": "\(error.words)"])
    }
}

extension ProxyOutcome {
    /// Whether the call is to be paid where success is charged. What the client does once the upstream has been asked,
    /// such as leaving, is no reason to give it back: it could have all of the answer but the last byte for nothing.
    fileprivate var isOwed: Bool { isAsked && !isUpstreamFailure }
}

extension APIError {
    /// Why there is no answer from an upstream, as a client may know it; the rest is for the log.
    package init(_ error: ProxyError) {
        switch error {
        case .request(.bodyTooLarge(let limit)): self = .bodyTooLarge(limitBytes: limit)
        case .request(.badMethod): self = .badRequest("CONNECT is no method for an upstream.")
        case .clientStalled, .clientGone: self = .requestTimeout
        case .badGateway:
            self.init(
                .badGateway, error: "Bad gateway", code: "bad-gateway",
                message: "The upstream did not give a valid answer.", cause: error.words)
            logLevel = .debug
        case .gatewayTimeout:
            self.init(
                .gatewayTimeout, error: "Gateway timeout", code: "gateway-timeout",
                message: "The upstream did not answer in time.", cause: error.words)
            logLevel = .debug
        case .unavailable(.clientShareExhausted): self = .tooManyInProgress
        case .unavailable:
            self.init(
                .serviceUnavailable, error: "Upstream unavailable", code: "upstream-unavailable",
                message: "No upstream can be asked now. Try again in a second.", cause: error.words)
            headers[.retryAfter] = "1"
            logLevel = .debug
        }
    }
}
