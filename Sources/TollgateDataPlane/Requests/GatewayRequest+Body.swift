import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// What becomes of a request's body: it goes to the upstream; or it is gathered first, since it tells whether the request
/// is a repeat; or it is not looked at.
extension GatewayRequest: RequestResponder {
    // MARK: A body that is gathered

    func gather() {
        isGathering = true
        sendContinue()
        connection.responderTakesBody()
    }

    private func sendContinue() {
        guard head.expectsContinue else { return }
        hasContinued = true
        connection.write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        connection.flush()
    }

    private func gather(_ bytes: ByteBuffer) {
        gathered?.append(bytes)
        if case .proxy(let route) = purpose, let gathered, gathered.bytes.readableBytes > route.route.limits.bodyBytes {
            return refuse(.bodyTooLarge(limitBytes: route.route.limits.bodyBytes))
        }
        if gathered?.isTooLong == true { bodyGathered() }
    }

    func bodyGathered() {
        isGathering = false
        let fingerprint = gathered.flatMap {
            RequestFingerprint.text(method: head.method, address: address.text, body: $0)
        }
        perform(flow.bodyGathered(fingerprint: fingerprint, at: now))
    }

    // MARK: A body that is not looked at

    /// Whether there is a body that goes to no upstream. Its client learns of its limit before it is charged.
    var readsBody: Bool {
        if case .proxy = purpose { return false }
        return head.framing != .none && head.framing != .length(0)
    }

    func expectBody() {
        if case .length(let count) = head.framing, count > connection.limits.bodyBytes { return refuseBody() }
        sendContinue()
    }

    private func discard(_ bytes: ByteBuffer) {
        if gathered?.isWanted == true { gathered?.append(bytes) }
        discardedBytes += bytes.readableBytes
        if discardedBytes > connection.limits.bodyBytes { refuseBody() }
    }

    private func refuseBody() { refuse(.bodyTooLarge(limitBytes: connection.limits.bodyBytes)) }

    // MARK: RequestResponder

    var takesBody: Bool { exchange?.takesBody ?? (isBodyComplete || readsBody || isGathering) }
    var limitsArrival: Bool { readsBody || isGathering }

    var minimumBodyRate: Int {
        if case .proxy(let route) = purpose { route.route.limits.bodyRate } else { connection.limits.bodyRate }
    }

    var awaitsBody: Bool { exchange?.awaitsBody ?? (readsBody || isGathering) }

    package func body(_ bytes: ByteBuffer) {
        if readsBody {
            discard(bytes)
        } else if isGathering {
            gather(bytes)
        } else {
            exchange?.sendBody(bytes)
        }
    }

    func flushBody() { exchange?.flushBody() }

    func bodyEnded(trailers: FieldSection) {
        isBodyComplete = true
        if gathered?.isWanted == true { gathered?.end(trailers: trailers) }
        if readsBody {
            authenticate()
        } else if isGathering {
            bodyGathered()
        } else {
            exchange?.endRequest(trailers: trailers)
        }
    }

    func clientWritabilityChanged(isWritable: Bool) { exchange?.clientWritabilityChanged(isWritable: isWritable) }

    func clientGone() {
        guard !flow.isOver else { return }
        flow.clientGone()
        guard let exchange else { return log(status: 0, verdict: "client-gone") }
        if carriesOnAlone { exchange.clientWritabilityChanged(isWritable: true) } else { exchange.clientGone() }
    }
}
