import HTTPTypes
import HTTPWire
package import HummingbirdCore
package import NIOCore
import NIOHTTP1
import TollgateCore

/// Answers a request of the control plane, in a task. Must not fail: an error is an answer as well.
package typealias ControlPlaneResponder = @Sendable (Request, any Channel) async -> Response

/// The way up to the control plane.
struct ControlPlaneGate: Sendable {
    let respond: ControlPlaneResponder

    /// Runs the work on a request in a task of its own.
    let start: @Sendable (@escaping @Sendable () async -> Void) -> Void
}

/// The way of one request up to the control plane and of its answer down. The request has a task as long as it is in
/// progress; the connection has none, so one on which nothing happens takes no more than any other.
///
/// The request goes up as it was understood, in the form that Hummingbird reads: nothing is parsed a second time, and
/// nothing of this hop is in it.
///
/// Confined to its event loop.
final class ControlPlaneRequest: RequestResponder {
    private let connection: PublicConnection
    private let answers: AnswerWriter

    /// Nil for a request without a body.
    private var body: RequestBodySource?

    /// No answer is awaited any more.
    private var isOver = false

    /// What the access log will say of it. Nil when it has no line.
    private var line: AccessLine?
    private let facts: AccessFacts?
    private let beganAt = NIODeadline.now()

    private(set) var takesBody = true
    var limitsArrival: Bool { true }
    var minimumBodyRate: Int { connection.limits.bodyRate }
    var awaitsBody: Bool { takesBody }

    private init(_ head: RequestHead, target: String, connection: PublicConnection, answers: AnswerWriter) {
        self.connection = connection
        self.answers = answers
        facts = connection.accessLog == nil ? nil : AccessFacts()
        guard connection.accessLog != nil else { return }
        var line = AccessLine(requestID: "", status: 0, verdict: "client-gone")
        (line.method, line.target) = (head.method, target)
        self.line = line
    }

    /// Sends the request up.
    ///
    /// - Parameter target: Path and query, checked.
    /// - Returns: Nil when it was answered already.
    static func begin(
        _ head: RequestHead, target: String, host: String, peer: ConnectionPeer, connection: PublicConnection,
        answers: AnswerWriter, gate: ControlPlaneGate
    ) -> ControlPlaneRequest? {
        guard let channel = connection.context?.channel else { return nil }
        let network = peer.network(of: head.fields)
        guard let request = request(head, target: target, host: host, network: network) else {
            var error = APIError.badRequest("The method is in no registry of HTTP.")
            error.headers[.connection] = "close"
            answers.write(error, to: head, on: connection)
            return nil
        }
        // Only the endpoint that reads the body knows whether it is wanted; these bodies are small, and most are.
        if head.expectsContinue {
            connection.write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
            connection.flush()
        }
        let responder = ControlPlaneRequest(head, target: target, connection: connection, answers: answers)
        responder.start(request, hasBody: head.framing.hasBody, channel: channel, gate)
        return responder
    }

    private func start(
        _ head: HTTPRequest, hasBody: Bool, channel: any Channel, _ gate: ControlPlaneGate
    ) {
        let loop = channel.eventLoop
        let this = NIOLoopBound(self, eventLoop: loop)
        var body = RequestBody(buffer: ByteBuffer())
        if hasBody {
            (body, self.body) = RequestBodySource.make { loop.execute { this.value.bodyWasTaken() } }
        }
        let request = Request(head: head, body: body)
        gate.start { [facts] in
            let response = await AccessFacts.$current.withValue(facts) { await gate.respond(request, channel) }
            let bytes = await ResponseBytes.whole(of: response.body)
            loop.execute { this.value.answer(response, bytes) }
        }
    }

    /// Nil for a method that is in no registry of HTTP.
    private static func request(
        _ head: RequestHead, target: String, host: String, network: ClientNetwork
    ) -> HTTPRequest? {
        guard isRegistered(head.method), let method = HTTPRequest.Method(head.method) else { return nil }
        var fields = HTTPFields()
        fields.reserveCapacity(head.fields.lines.count + 2)
        // What only the gateway may say, it says here to itself.
        fields.append(HTTPField(name: .xTollgateClient, value: network.address))
        for line in head.fields.lines where passes(line.kind) {
            guard let name = HTTPField.Name(head.fields.name(of: line)) else { continue }
            fields.append(HTTPField(name: name, value: head.fields.value(of: line)))
        }
        if head.framing == .chunked { fields.append(HTTPField(name: .transferEncoding, value: "chunked")) }
        return HTTPRequest(method: method, scheme: "http", authority: host, path: target, headerFields: fields)
    }

    /// As NIO knows them, with two names that it does not read.
    private static func isRegistered(_ method: String) -> Bool {
        switch HTTPMethod(rawValue: method) {
        case .RAW: method == "QUERY" || method == "M-SEARCH"
        // Its name has a hyphen.
        case .MSEARCH: false
        default: true
        }
    }

    private static func passes(_ kind: FieldKind) -> Bool {
        switch kind {
        case .host, .expect, .identity, .misspelt: false
        default: !kind.isOfThisHop
        }
    }

    // MARK: Up

    func body(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0, let body else { return }
        takesBody = body.hasRoom(after: bytes)
    }

    func flushBody() {}

    func bodyEnded(trailers: FieldSection) { body?.end() }

    /// What reads the body has a place for more of it, or reads it no longer.
    private func bodyWasTaken() {
        guard !isOver, !takesBody else { return }
        takesBody = true
        connection.responderTakesBody()
    }

    func clientWritabilityChanged(isWritable: Bool) {}

    /// A handler that still waits for the rest of a body is told that it does not come.
    func clientGone() {
        isOver = true
        body?.breakOff()
        log(status: 0, bytes: 0)
    }

    // MARK: Down

    /// - Parameter bytes: Nil when the body could not be made to its end.
    private func answer(_ response: Response, _ bytes: ByteBuffer?) {
        guard !isOver, connection.mayAnswer else { return }
        isOver = true
        guard let bytes else { return connection.abort() }
        line?.requestID = response.headers[.xRequestID] ?? ""
        line?.verdict = facts?.collected.code ?? "answered"
        log(status: response.status.code, bytes: bytes.readableBytes)
        answers.write(status: response.status, fields: response.headers, body: bytes, on: connection)
    }

    private func log(status: Int, bytes: Int) {
        guard let log = connection.accessLog, var line, log.wants(status: status) else { return }
        self.line = nil
        let known = facts?.collected
        (line.status, line.answerBytes) = (status, bytes)
        (line.user, line.plan, line.cause) = (known?.user, known?.plan, known?.cause)
        line.nanoseconds = (NIODeadline.now() - beganAt).nanoseconds
        log.write(line)
    }
}

@available(*, unavailable)
extension ControlPlaneRequest: Sendable {}

extension BodyFraming {
    fileprivate var hasBody: Bool {
        switch self {
        case .none, .length(0): false
        case .length, .chunked, .untilClose: true
        }
    }
}
