import HTTPTypes
import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// What the data plane answers itself.
extension GatewayRequest {
    /// The request was admitted.
    func proceed() {
        switch purpose {
        case .verifyAuth: answerVerified()
        case .authorize: answerAuthorized()
        case .proxy(let route):
            carry(by: route)
            if isBodyComplete { exchange?.endRequest(trailers: gathered?.trailers ?? .none) }
        }
    }

    private func answerVerified() {
        guard let admitted = flow.admitted else { return refuse(.unavailable(cause: "the request was not admitted")) }
        var answer = Answer(verified: admitted)
        settle(StoredAnswer(answer).map { .keepAndReplay($0) } ?? .keep)
        dataPlane.cors.apply(to: &answer.headers, origin: head.fields.first(.origin))
        ended()
        dataPlane.answers.write(answer, requestID: requestID, on: connection)
        count(status: answer.status.code)
        log(status: answer.status.code, verdict: passingVerdict, answerBytes: answer.body.readableBytes)
    }

    private func answerAuthorized() {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(768)
        buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
        if let principal = flow.principal {
            buffer.writeField("X-Tollgate-User", principal.userID.value)
            if let id = principal.credential.keyID { buffer.writeField("X-Tollgate-Key-Id", id.value) }
            if let id = principal.credential.platformID { buffer.writeField("X-Tollgate-Platform", id) }
        }
        if let admitted = flow.admitted { buffer.writeField("X-Tollgate-Plan", admitted.decision.usage.plan) }
        writeGatewayFields(to: &buffer)
        dataPlane.answers.clock.writeDate(to: &buffer, at: flow.admitted?.time)
        connection.endHead(&buffer)
        ended()
        connection.write(buffer)
        connection.answerEnded()
        count(status: 200)
        log(status: 200, verdict: passingVerdict)
    }

    /// Answers as the attempt that has finished was answered.
    package func write(_ answer: StoredAnswer) {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(answer.head.count + answer.body.count + 512)
        buffer.writeBytes(answer.head)
        buffer.writeStaticString("Idempotent-Replayed: true\r\n")
        if case .verifyAuth = purpose {
            var fields = HTTPFields()
            dataPlane.cors.apply(to: &fields, origin: head.fields.first(.origin))
            for field in fields { buffer.writeField(name: field.name.rawName, field.value) }
            dataPlane.answers.clock.writeDate(to: &buffer, at: flow.admitted?.time)
        }
        writeGatewayFields(to: &buffer)
        let hasBody = !connection.isAnswerToHead && answer.status != 204 && answer.status != 304
        if hasBody { buffer.writeField("Content-Length", answer.body.count) }
        connection.endHead(&buffer)
        if hasBody { buffer.writeBytes(answer.body) }
        ended()
        connection.write(buffer)
        connection.answerEnded()
        count(status: answer.status)
        log(status: answer.status, verdict: "replayed", answerBytes: hasBody ? answer.body.count : 0)
    }

    /// What the gateway says in every answer to a request that it has admitted.
    func writeGatewayFields(to buffer: inout ByteBuffer) {
        if let admitted = flow.admitted { RateLimitHeaders.write(admitted.decision, at: admitted.time, to: &buffer) }
        if flow.isDegraded { buffer.writeStaticString("X-Tollgate-Degraded: redis-unavailable\r\n") }
        buffer.writeField("X-Request-Id", requestID)
    }

    /// Answers with an error, and so ends the request.
    ///
    /// - Parameter outcome: How the exchange with upstreams has ended, if there was one.
    func refuse(_ error: APIError, after outcome: ProxyOutcome? = nil) {
        guard !flow.isOver else { return }
        ended()
        // Of a request that was carried nothing is left to be settled; any other has got nothing for its calls.
        settle(.giveBack)
        var error = error
        if let admitted = flow.admitted { error.headers.append(contentsOf: admitted.rateLimitHeaders) }
        let isForBrowser = if case .authorize = purpose { false } else { true }
        if isForBrowser { dataPlane.cors.apply(to: &error.headers, origin: head.fields.first(.origin)) }
        error.log(requestID: requestID, path: logName, to: dataPlane.logger)
        let answer = Answer(error, requestID: requestID)
        dataPlane.answers.write(answer, requestID: requestID, on: connection)
        count(status: error.status.code)
        log(
            status: error.status.code, verdict: error.code, answerBytes: answer.body.readableBytes, outcome: outcome,
            cause: error.cause)
    }

    /// The request has ended.
    ///
    /// - Parameter status: Of the answer; 0 when there was none.
    func count(status: Int) {
        let nanoseconds = elapsedNanoseconds
        dataPlane.metrics.call(status: status, nanoseconds: nanoseconds)
        if case .proxy(let route) = purpose { route.metrics.ended(status: status, nanoseconds: nanoseconds) }
    }

    /// For the log: a request's own path may hold secrets and personal data.
    var logName: String {
        switch purpose {
        case .verifyAuth: "/verify-auth"
        case .authorize: "/authorize"
        case .proxy(let route): "route \(route.route.name)"
        }
    }

    /// A client's own name for its request is kept when it is one: then both find it in their logs.
    static func validRequestID(_ head: RequestHead) -> String? {
        guard let sent = head.fields.first(.requestID), (1...128).contains(sent.utf8.count),
            sent.utf8.allSatisfy(\.mayStandInRequestID), !holdsSecret(sent)
        else { return nil }
        return sent
    }

    /// It stands in logs and answers, where no key and no ticket may.
    private static func holdsSecret(_ text: String) -> Bool {
        KeyTrace.isIn(Array(text.utf8)) || text.contains(Ticket.prefix)
    }
}

extension StoredAnswer {
    /// Of `POST /verify-auth`: what is the same for every repeat.
    fileprivate init?(_ answer: Answer) {
        var head = ByteBuffer()
        head.writeStatusLine(answer.status)
        if let type = answer.headers[.contentType] { head.writeField("Content-Type", type) }
        self.init(
            status: answer.status.code, head: Array(head.readableBytesView), body: Array(answer.body.readableBytesView))
    }
}

extension UInt8 {
    fileprivate var mayStandInRequestID: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
