import HTTPTypes
import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// One request of the data plane: authenticate, admit in one round trip to Redis, then answer or carry it to an
/// upstream; all on the connection's event loop.
///
/// Confined to its event loop.
final class GatewayRequest: RequestWorker {
    enum Purpose {
        /// `POST /verify-auth`, for the front end.
        case verifyAuth
        /// `/authorize`, for a proxy that asks about a request.
        case authorize(Question)
        case proxy(ActiveRoute)
    }

    /// What a proxy asks about.
    struct Question {
        let method: String
        let uri: String
        let policy: AdmissionPolicy

        /// The request would not pass whoever sends it.
        var refusal: APIError?
    }

    let head: RequestHead
    let address: RequestAddress
    let purpose: Purpose
    let policy: AdmissionPolicy
    let client: Client
    let dataPlane: DataPlane
    let connection: PublicConnection
    let loop: AdmissionLoop
    let requestID: String

    /// What of the offered subprotocols is the gateway's.
    let subprotocol: BearerSubprotocol?
    private let start = NIODeadline.now()

    /// Who asks, once it is known. Whether they may is another question.
    private(set) var principal: Principal?

    /// Who may pass, once it is known.
    private(set) var admitted: Gatekeeper.Admitted?
    var reservation: Reservation?

    /// Redis did not decide.
    var isDegraded = false

    /// What is to be booked of a request that passed without Redis, if it succeeds.
    var outageCharge: OutageCharge?
    var exchange: ProxyExchange?
    var outgoing = OutgoingAnswer()

    /// The body, when it decides whether the request is a repeat.
    var gathered: GatheredBody?

    /// The body is gathered before Redis is asked.
    var isGathering = false
    var hasContinued = false

    /// The answer, when repeats are to get it again.
    var capture: AnswerCapture?
    var hasAskedAgain = false

    /// The answer that a repeat should get is of no use, so it is an ordinary call.
    var repeatsAnew = false
    private var isKnownKey = false

    /// The credential is in none of the fields that are for it.
    private(set) var isOutsideFields = false
    private(set) var isBodyComplete = false
    private var discardedBytes = 0
    private(set) var isGone = false

    private init(
        _ head: RequestHead, address: RequestAddress, purpose: Purpose, client: Client,
        dataPlane: DataPlane, connection: PublicConnection, loop: AdmissionLoop
    ) {
        self.head = head
        self.address = address
        self.purpose = purpose
        self.client = client
        self.dataPlane = dataPlane
        self.connection = connection
        self.loop = loop
        requestID = Self.validRequestID(head) ?? dataPlane.requestIDs.next()
        subprotocol = if case .proxy = purpose { BearerSubprotocol(head.fields) } else { nil }
        policy =
            switch purpose {
            case .verifyAuth: .standard
            case .authorize(let question): question.policy
            case .proxy(let route): route.policy
            }
        if honoursIdempotencyKey { gathered = GatheredBody(head.framing) }
    }

    /// - Returns: Nil when the request was answered at once.
    static func begin(
        _ head: RequestHead, address: RequestAddress, purpose: Purpose, client: Client,
        dataPlane: DataPlane, connection: PublicConnection, loop: AdmissionLoop
    ) -> GatewayRequest? {
        let request = GatewayRequest(
            head, address: address, purpose: purpose, client: client, dataPlane: dataPlane, connection: connection,
            loop: loop)
        if request.readsBody { request.expectBody() } else { request.tryAuthenticate() }
        return request.isGone ? nil : request
    }

    private func tryAuthenticate() {
        do throws(APIError) {
            try authenticate()
        } catch {
            refuse(error)
        }
    }

    // MARK: A body that says nothing

    /// Whether there is a body that goes to nobody. Its client learns of its limit before it is charged.
    private var readsBody: Bool {
        if case .proxy = purpose { return false }
        return head.framing != .none && head.framing != .length(0)
    }

    private func expectBody() {
        if case .length(let count) = head.framing, count > connection.limits.bodyBytes { return refuseBody() }
        sendContinue()
    }

    private func discard(_ bytes: ByteBuffer) {
        if gathered?.isWanted == true { gathered?.append(bytes) }
        discardedBytes += bytes.readableBytes
        if discardedBytes > connection.limits.bodyBytes { refuseBody() }
    }

    private func refuseBody() { refuse(.bodyTooLarge(limitBytes: connection.limits.bodyBytes)) }

    /// A client's own name for its request is kept when it is one: then both find it in their logs.
    private static func validRequestID(_ head: RequestHead) -> String? {
        guard let sent = head.fields.first(.requestID), (1...128).contains(sent.utf8.count),
            sent.utf8.allSatisfy(\.mayStandInRequestID), !holdsSecret(sent)
        else { return nil }
        return sent
    }

    /// It stands in logs and answers, where no key and no ticket may.
    private static func holdsSecret(_ text: String) -> Bool {
        KeyTrace.isIn(Array(text.utf8)) || text.contains(Ticket.prefix)
    }

    // MARK: Who asks

    private func authenticate() throws(APIError) {
        if case .authorize(let question) = purpose, let refusal = question.refusal { throw refusal }
        try checkIdempotencyKey()
        guard policy.authentication != .none else { return proceed() }
        // Where Redis may be away, its time may be as well.
        if policy.onRedisDown == .closed { try dataPlane.gatekeeper.checkTime() }
        if let ticket = try presentedTicket() {
            isOutsideFields = true
            return use(ticket)
        }
        let offered = try presentedSubprotocol()
        isOutsideFields = offered != nil
        if let known = knownKey {
            isKnownKey = true
            return admit(known)
        }
        let credential = if let offered { offered } else { try presented() }
        try policy.check(credential)
        if let principal = try dataPlane.gatekeeper.remembered(credential) { return admit(principal) }
        // Looking up whose a platform's key is asks Redis, too.
        if case .key = credential, let refusal = guessRefusal(at: dataPlane.time.now()) { throw refusal }
        verify(credential)
    }

    /// Whom a secret key names that was admitted before.
    private var knownKey: Principal? {
        guard policy.authentication != .jwt, let presentation else { return nil }
        return dataPlane.keyMemory.principal(for: presentation)
    }

    /// The field that the credential is in. Nil when there is none, or several.
    private var presentation: KeyMemory.Presentation? {
        guard !isOutsideFields else { return nil }
        var found: FieldLine?
        for line in head.fields.lines where line.kind == .apiKey || line.kind == .authorization {
            guard found?.kind != line.kind else { return nil }
            if found == nil || line.kind == .apiKey { found = line }
        }
        guard let line = found else { return nil }
        let value = head.fields.value(of: line)
        // An empty field is passed over, so it names nobody.
        return value.isEmpty ? nil : KeyMemory.Presentation(field: line.kind, value: value)
    }

    private func presented() throws(APIError) -> PresentedCredential {
        try presented(authorization: head.fields.values(.authorization), apiKey: head.fields.values(.apiKey))
    }

    func presented(authorization: [String], apiKey: [String]) throws(APIError) -> PresentedCredential {
        do throws(APIError) {
            return try dataPlane.gatekeeper.presented(authorization: authorization, apiKey: apiKey)
        } catch {
            countFailedKey(error)
            throw error
        }
    }

    /// A token that was not seen before, or a platform's key whose owner is not known here.
    private func verify(_ credential: PresentedCredential) {
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        let gatekeeper = dataPlane.gatekeeper
        let eventLoop = loop.eventLoop
        let needsTime = policy.onRedisDown == .closed
        Task {
            let result: Result<Principal, APIError>
            do throws(APIError) {
                result = .success(try await gatekeeper.principal(credential, needsTime: needsTime))
            } catch {
                result = .failure(error)
            }
            eventLoop.execute { bound.value.verified(result) }
        }
    }

    private func verified(_ result: Result<Principal, APIError>) {
        guard !isGone else { return }
        switch result {
        case .success(let principal): admit(principal)
        case .failure(let error):
            countFailedKey(error)
            refuse(error)
        }
    }

    // MARK: Whether they may

    func admit(_ principal: Principal) {
        let now = dataPlane.time.now()
        self.principal = principal
        // Others behind the same address keep the keys that are known to be good.
        if principal.credential.isKey, !isKnownKey, !dataPlane.outage.isKnown(principal.credential),
            let refusal = guessRefusal(at: now)
        {
            return refuse(refusal)
        }
        if gathered?.isWanted == true { gather() } else { ask(principal, at: now) }
    }

    /// Asks Redis.
    func ask(_ principal: Principal, at now: UnixTime) {
        let call = idempotentCall
        let request = AdmissionRequest(
            principal: principal, time: now, cost: policy.cost, route: bookedUnder, requiredScopes: policy.scopes,
            idempotentCall: call, reservation: reservationWish(for: call), routeLimit: policy.routeLimit)
        loop.port.admit(request) { self.decided($0, request) }
    }

    /// Where the user's days say that the calls went.
    private var bookedUnder: String {
        if let name = policy.routeName { return name }
        return if case .verifyAuth = purpose { "verify-auth" } else { "authorize" }
    }

    /// Nothing is given back of a request whose outcome is not seen here, or that costs nothing.
    private func reservationWish(for call: IdempotentCall?) -> Reservation.Request? {
        let givesBack =
            if policy.charge == .success, policy.cost > 0, case .proxy = purpose { true } else { false }
        guard givesBack || call != nil else { return nil }
        return Reservation.Request(
            id: dataPlane.requestIDs.next(), leaseSeconds: policy.leaseSeconds, givesBack: givesBack)
    }

    private func decided(_ result: Result<AdmissionDecision, StoreUnavailable>, _ request: AdmissionRequest) {
        if case .success(let decision) = result, let granted = decision.reservation {
            reservation = granted
            loop.opened(granted, leaseSeconds: policy.leaseSeconds)
        }
        guard !isGone else { return settle(.giveBack) }
        if case .failure(let error) = result {
            if error.cause == .clockDiffers, !hasAskedAgain {
                hasAskedAgain = true
                return ask(request.principal, at: dataPlane.time.now())
            }
            if passesWithoutRedis(request, after: error) { return proceed() }
        }
        noteStanding(result, of: request.principal)
        do throws(APIError) {
            admitted = try dataPlane.gatekeeper.conclude(result, of: request, logger: dataPlane.logger)
        } catch {
            if case .success(let decision) = result, decision.endsKey {
                dataPlane.outage.refused(request.principal.credential)
            }
            countFailedKey(error)
            return refuse(error)
        }
        noteAdmission(of: request.principal)
        if let call = request.idempotentCall, admitted?.decision.outcome == .replayed { return replay(call) }
        proceed()
    }

    private func noteAdmission(of principal: Principal) {
        guard case .secretKey = principal.credential else { return }
        // What an outage will ask for is kept fresh where it may be asked for.
        if !isKnownKey || policy.onRedisDown == .open { dataPlane.outage.admitted(principal.credential) }
        if !isKnownKey, let presentation { dataPlane.keyMemory.remember(principal, for: presentation) }
    }

    // MARK: What they get

    private func proceed() {
        switch purpose {
        case .verifyAuth:
            guard let admitted else { return refuse(.unavailable(cause: "nobody was admitted")) }
            var answer = Answer(verified: admitted)
            settle(StoredAnswer(answer).map { .keepAndReplay($0) } ?? .keep)
            dataPlane.cors.apply(to: &answer.headers, origin: head.fields.first(.origin))
            ended()
            dataPlane.answers.write(answer, requestID: requestID, on: connection)
            dataPlane.metrics.request(status: answer.status.code, nanoseconds: elapsedNanoseconds)
        case .authorize: answerAuthorized()
        case .proxy(let route):
            carry(by: route)
            if isBodyComplete { exchange?.endRequest(trailers: gathered?.trailers ?? .none) }
        }
    }

    private func answerAuthorized() {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(768)
        buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
        if let principal {
            buffer.writeField("X-Tollgate-User", principal.userID.value)
            if let id = principal.credential.keyID { buffer.writeField("X-Tollgate-Key-Id", id.value) }
            if let id = principal.credential.platformID { buffer.writeField("X-Tollgate-Platform", id) }
        }
        if let admitted { buffer.writeField("X-Tollgate-Plan", admitted.decision.usage.plan) }
        writeGatewayFields(to: &buffer)
        dataPlane.answers.clock.writeDate(to: &buffer, at: admitted?.time)
        connection.endHead(&buffer)
        ended()
        connection.write(buffer)
        connection.answerEnded()
        dataPlane.metrics.request(status: 200, nanoseconds: elapsedNanoseconds)
    }

    /// What the gateway says in every answer to a request that it has admitted.
    func writeGatewayFields(to buffer: inout ByteBuffer) {
        if let admitted { RateLimitHeaders.write(admitted.decision, at: admitted.time, to: &buffer) }
        if isDegraded { buffer.writeStaticString("X-Tollgate-Degraded: redis-unavailable\r\n") }
        buffer.writeField("X-Request-Id", requestID)
    }

    /// Answers with an error, and so ends the request.
    func refuse(_ error: APIError) {
        guard !isGone else { return }
        ended()
        // Of a request that was carried nothing is left to be settled; any other has got nothing for its calls.
        settle(.giveBack)
        var error = error
        if let admitted { error.headers.append(contentsOf: admitted.rateLimitHeaders) }
        let isForBrowser = if case .authorize = purpose { false } else { true }
        if isForBrowser { dataPlane.cors.apply(to: &error.headers, origin: head.fields.first(.origin)) }
        error.log(requestID: requestID, path: logName, to: dataPlane.logger)
        dataPlane.answers.write(Answer(error, requestID: requestID), requestID: requestID, on: connection)
        dataPlane.metrics.request(status: error.status.code, nanoseconds: elapsedNanoseconds)
    }

    /// For the log: a request's own path may hold what is nobody's business.
    var logName: String {
        switch purpose {
        case .verifyAuth: "/verify-auth"
        case .authorize: "/authorize"
        case .proxy(let route): "route \(route.route.name)"
        }
    }

    var elapsedNanoseconds: Int64 { (NIODeadline.now() - start).nanoseconds }

    /// Nobody waits for this request any more.
    func ended() { isGone = true }

    /// Ends the reservation, if there is one.
    func settle(_ outcome: Reservation.Outcome) {
        settleOutage(outcome)
        guard let reservation else { return }
        self.reservation = nil
        loop.ended(reservation, as: outcome)
    }

    // MARK: RequestWorker

    var takesBody: Bool { exchange?.takesBody ?? (isBodyComplete || readsBody || isGathering) }
    var limitsArrival: Bool { readsBody || isGathering }

    var minimumBodyRate: Int {
        if case .proxy(let route) = purpose { route.route.limits.bodyRate } else { connection.limits.bodyRate }
    }

    var awaitsBody: Bool { exchange?.awaitsBody ?? (readsBody || isGathering) }

    func body(_ bytes: ByteBuffer) {
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
            tryAuthenticate()
        } else if isGathering {
            endGathering()
        } else {
            exchange?.endRequest(trailers: trailers)
        }
    }

    func clientWritabilityChanged(isWritable: Bool) { exchange?.clientWritabilityChanged(isWritable: isWritable) }

    func clientGone() {
        guard !isGone else { return }
        isGone = true
        guard let exchange else { return }
        if carriesOnAlone { exchange.clientWritabilityChanged(isWritable: true) } else { exchange.clientGone() }
    }

    // MARK: Keys that are guessed

    /// The refusal of a key, whatever it is, from an address that too many bad ones have come from.
    private func guessRefusal(at time: UnixTime) -> APIError? {
        guard let refusal = dataPlane.guesses.refusal(of: client.network(of: head.fields), at: time) else { return nil }
        dataPlane.metrics.authenticationFailure(code: refusal.code)
        return refusal
    }

    private func countFailedKey(_ error: APIError) {
        guard error.isFailedKey else { return }
        dataPlane.guesses.count(error, from: client.network(of: head.fields), at: dataPlane.time.now())
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

extension AdmissionDecision {
    /// The key that was presented is good for nothing any more.
    fileprivate var endsKey: Bool {
        if case .keyRefused(let reason) = outcome { reason != .scopeMissing } else { false }
    }
}
