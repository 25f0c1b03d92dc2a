import HTTPTypes
import HTTPWire
import Logging
import NIOCore
import ReverseProxy
import TollgateCore
import TollgateStore

/// Requests that bear an `Idempotency-Key`.
///
/// Their body comes first, since it belongs to what tells a repeat from another request. Then Redis says in its one
/// answer whether this is the first attempt, a repeat of what failed, one of what is in progress, or one that gets the
/// answer of the attempt that has finished.
extension GatewayRequest {
    /// Whether a key makes a difference: where its caller is known and the outcome is seen here, and either the charge
    /// or the answer hangs on it.
    var honoursIdempotencyKey: Bool {
        guard head.fields.contains(.idempotencyKey) else { return false }
        switch purpose {
        case .verifyAuth: return true
        case .authorize: return false
        case .proxy: return policy.authentication != .none && (policy.cost > 0 || policy.idempotency == .replay)
        }
    }

    /// - Throws: 400 for what is no key, before anything is done for it.
    func checkIdempotencyKey() throws(APIError) {
        guard gathered != nil else { return }
        let keys = head.fields.values(.idempotencyKey)
        guard keys.count == 1, IdempotentCall.key(in: keys[0]) != nil else { throw .badIdempotencyKey }
    }

    /// Nil for a request without a key, and for one whose body is too long: that is an ordinary call.
    var idempotentCall: IdempotentCall? {
        guard !repeatsAnew, let gathered, gathered.isComplete, !gathered.isTooLong,
            let key = head.fields.first(.idempotencyKey)
        else { return nil }
        // A repeat comes with a ticket of its own.
        let address = Ticket.parameter.removed(from: address.text)
        return IdempotentCall(
            key: key, fingerprint: RequestFingerprint.text(method: head.method, address: address, body: gathered))
    }

    // MARK: The body

    func gather() {
        isGathering = true
        sendContinue()
        connection.workerTakesBody()
    }

    func sendContinue() {
        guard head.expectsContinue else { return }
        hasContinued = true
        connection.write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        connection.flush()
    }

    func gather(_ bytes: ByteBuffer) {
        gathered?.append(bytes)
        if case .proxy(let route) = purpose, let gathered, gathered.bytes.readableBytes > route.route.limits.bodyBytes {
            return refuse(.bodyTooLarge(limitBytes: route.route.limits.bodyBytes))
        }
        if gathered?.isTooLong == true { endGathering() }
    }

    func endGathering() {
        isGathering = false
        guard let principal else { return }
        ask(principal, at: dataPlane.time.now())
    }

    // MARK: The answer

    /// Keeps the answer from here on, if repeats are to get it.
    func beginCapture() {
        if reservation?.idempotencyKey != nil, policy.idempotency == .replay { capture = AnswerCapture() }
    }

    /// What its client will ask for again is carried on without it, while there is a chance that the answer can be kept.
    var carriesOnAlone: Bool { capture != nil && isBodyComplete }

    /// The answer is too long to be kept, or is none that could be.
    func endCapture() {
        guard capture != nil else { return }
        capture = nil
        if isGone { exchange?.clientGone() }
    }

    // MARK: Repeats

    /// Answers as the attempt that has finished was answered.
    func replay(_ call: IdempotentCall) {
        guard let principal else { return }
        loop.port.storedAnswer(of: call, by: principal.userID) { result in
            guard !self.isGone else { return }
            switch result {
            case .success(let answer?): self.write(answer)
            // It has been forgotten since, so this is an ordinary call.
            case .success(nil) where !self.hasAskedAgain:
                self.hasAskedAgain = true
                self.ask(principal, at: self.dataPlane.time.now())
            // It is damaged.
            case .success(nil):
                self.dataPlane.logger.warning(
                    "the answer that was kept for a repeat is none; the call is carried out",
                    metadata: ["look-at": "\(RedisKey.idempotency(principal.userID, key: call.key))"])
                self.repeatsAnew = true
                self.ask(principal, at: self.dataPlane.time.now())
            case .failure(let error): self.refuse(.unavailable(cause: error.reason))
            }
        }
    }

    private func write(_ answer: StoredAnswer) {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(answer.head.count + answer.body.count + 512)
        buffer.writeBytes(answer.head)
        buffer.writeStaticString("Idempotent-Replayed: true\r\n")
        if case .verifyAuth = purpose {
            var fields = HTTPFields()
            dataPlane.cors.apply(to: &fields, origin: head.fields.first(.origin))
            for field in fields { buffer.writeField(name: field.name.rawName, field.value) }
            dataPlane.answers.clock.writeDate(to: &buffer, at: admitted?.time)
        }
        writeGatewayFields(to: &buffer)
        let hasBody = !connection.isAnswerToHead && answer.status != 204 && answer.status != 304
        if hasBody { buffer.writeField("Content-Length", answer.body.count) }
        connection.endHead(&buffer)
        if hasBody { buffer.writeBytes(answer.body) }
        ended()
        connection.write(buffer)
        connection.answerEnded()
        dataPlane.metrics.request(status: answer.status, nanoseconds: elapsedNanoseconds)
    }
}

extension StoredAnswer {
    /// Of `POST /verify-auth`: what is the same for every repeat.
    init?(_ answer: Answer) {
        var head = ByteBuffer()
        head.writeStatusLine(answer.status)
        if let type = answer.headers[.contentType] { head.writeField("Content-Type", type) }
        self.init(
            status: answer.status.code, head: Array(head.readableBytesView), body: Array(answer.body.readableBytesView))
    }
}

extension APIError {
    fileprivate static let badIdempotencyKey = APIError(
        .badRequest, error: "Bad request", code: "bad-idempotency-key",
        message: "Idempotency-Key is there once, with 1 to \(IdempotentCall.maximumKeyLength) visible characters, "
            + "without blanks, braces, quotes and backslashes.")
}
