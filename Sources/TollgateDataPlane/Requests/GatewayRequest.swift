import HTTPTypes
import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// One request of the data plane: does what its ``AdmissionFlow`` says, one round trip to Redis in all, then answers it or
/// carries it to an upstream; all on the connection's event loop.
///
/// Confined to its event loop.
final class GatewayRequest {
    enum Purpose {
        /// `POST /verify-auth`, for the front end.
        case verifyAuth
        /// `/authorize`, for a proxy that asks about a request.
        case authorize(Question)
        case proxy(ActiveRoute)
    }

    /// What a proxy asks about. A class, so that it is handed on without copying its parts.
    final class Question {
        /// Path and query of the request in question. Nil when it is known to have no query.
        let uri: String?
        let policy: AdmissionPolicy

        /// The request would not pass, whatever it presents.
        let refusal: APIError?

        init(uri: String?, policy: AdmissionPolicy, refusal: APIError? = nil) {
            self.uri = uri
            self.policy = policy
            self.refusal = refusal
        }
    }

    let head: RequestHead
    let address: RequestAddress
    let purpose: Purpose
    let peer: ConnectionPeer
    let dataPlane: DataPlane
    let connection: PublicConnection
    let loop: LoopAdmissions
    let requestID: String

    /// What of the offered subprotocols is the gateway's.
    let subprotocol: BearerSubprotocol?
    private let start = NIODeadline.now()
    var flow: AdmissionFlow
    var exchange: ProxyExchange?
    var outgoing = OutgoingAnswer()

    /// The answer, when repeats are to get it again.
    var capture: AnswerCapture?

    /// The body, when it decides whether the request is a repeat.
    var gathered: BufferedBody?

    /// The body is gathered before the store is asked.
    var isGathering = false
    var hasContinued = false
    var isBodyComplete = false
    var discardedBytes = 0

    /// The access log has its line, or passes it over.
    var isLogged = false

    private init(
        _ head: RequestHead, address: consuming RequestAddress, purpose: consuming Purpose, peer: ConnectionPeer,
        dataPlane: DataPlane, connection: PublicConnection, loop: LoopAdmissions
    ) {
        self.head = head
        self.address = address
        self.purpose = purpose
        self.peer = peer
        self.dataPlane = dataPlane
        self.connection = connection
        self.loop = loop
        requestID = Self.validRequestID(head) ?? dataPlane.requestIDs.next()
        subprotocol = if case .proxy = purpose { BearerSubprotocol(head.fields) } else { nil }
        flow =
            switch purpose {
            case .verifyAuth: AdmissionFlow(.verifyAuth, .standard, dataPlane.admission)
            case .authorize(let question): AdmissionFlow(.authorize, question.policy, dataPlane.admission)
            case .proxy(let route): AdmissionFlow(.proxy, route.policy, dataPlane.admission)
            }
        if head.fields.contains(.idempotencyKey), flow.honoursIdempotencyKeys { gathered = BufferedBody(head.framing) }
    }

    /// - Returns: Nil when the request was answered at once.
    static func begin(
        _ head: RequestHead, address: consuming RequestAddress, purpose: consuming Purpose, peer: ConnectionPeer,
        dataPlane: DataPlane, connection: PublicConnection, loop: LoopAdmissions
    ) -> GatewayRequest? {
        let request = GatewayRequest(
            head, address: address, purpose: purpose, peer: peer, dataPlane: dataPlane, connection: connection,
            loop: loop)
        if request.readsBody { request.expectBody() } else { request.authenticate() }
        return request.flow.isOver ? nil : request
    }

    // MARK: The flow

    func authenticate() {
        if case .authorize(let question) = purpose, let refusal = question.refusal { return refuse(refusal) }
        let idempotencyKeys = gathered == nil ? [] : head.fields.values(.idempotencyKey)
        perform(flow.begin(self, idempotencyKeys: idempotencyKeys, at: now, from: network))
    }

    func perform(_ action: AdmissionFlow.Action) {
        switch action {
        case .nothing: break
        case .verify(let credential): verify(credential)
        case .redeem(let ticket):
            loop.port.redeem(ticket, at: dataPlane.time.now()) {
                self.perform(self.flow.redeemed($0, at: self.now, from: self.network))
            }
        case .gatherBody: if gathered?.isWanted == true { gather() } else { bodyGathered() }
        case .ask(let request): loop.port.admit(request) { self.decided($0) }
        case .readStoredAnswer(let call, let user):
            loop.port.storedAnswer(of: call, by: user) { self.perform(self.flow.storedAnswerRead($0, at: self.now)) }
        case .admit: proceed()
        case .replay(let answer): write(answer)
        case .refuse(let error): refuse(error)
        case .settle(let reservation, let outcome): loop.ended(reservation, as: outcome)
        }
    }

    private func verify(_ credential: PresentedCredential) {
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        let (admission, eventLoop) = (dataPlane.admission, loop.eventLoop)
        Task {
            let result = await admission.verify(credential)
            eventLoop.execute { bound.value.verified(result) }
        }
    }

    private func verified(_ result: Result<Principal, AdmissionState.VerificationFailure>) {
        perform(flow.verified(result, at: now, from: network))
    }

    private func decided(_ result: Result<AdmissionDecision, StoreUnavailable>) {
        if case .success(let decision) = result, let granted = decision.reservation {
            loop.opened(granted, leaseSeconds: flow.policy.leaseSeconds)
        }
        perform(flow.decided(result, at: now))
    }

    /// Ends the reservation, if there is one.
    func settle(_ outcome: Reservation.Outcome) { perform(flow.settle(as: outcome)) }

    /// The request is over: answered, or left by its client.
    func ended() { flow.answered() }

    var now: AdmissionFlow.ClockReading { dataPlane.time.reading }

    /// Where the request comes from.
    private var network: ClientNetwork { peer.network(of: head.fields) }

    var elapsedNanoseconds: Int64 { (NIODeadline.now() - start).nanoseconds }
}

/// Where a request of the data plane may bear a credential.
extension GatewayRequest: CredentialPlaces {
    package var authorization: [String] { head.fields.values(.authorization) }
    package var apiKey: [String] { head.fields.values(.apiKey) }
    var offeredCredentials: [String] { subprotocol?.credentials ?? [] }

    /// Of the target of the request in question.
    package var tickets: [Substring] {
        switch purpose {
        case .verifyAuth: []
        case .authorize(let question): question.uri.map(Ticket.parameter.values) ?? []
        case .proxy: address.target.query == nil ? [] : Ticket.parameter.values(in: address.target.text)
        }
    }

    var presentation: KeyMemory.Presentation? {
        var found: FieldLine?
        for line in head.fields.lines where line.kind == .apiKey || line.kind == .authorization {
            guard found?.kind != line.kind else { return nil }
            if found == nil || line.kind == .apiKey { found = line }
        }
        guard let line = found else { return nil }
        // A session token has dots, a key has none, nor does base64: looking up a token among keys is in vain.
        guard !head.fields.value(of: line, contains: UInt8(ascii: ".")) else { return nil }
        let value = head.fields.value(of: line)
        // An empty field is passed over, so it names no principal.
        return value.isEmpty ? nil : KeyMemory.Presentation(field: line.kind, value: value)
    }
}
