import HTTPTypes
import TollgateCore

/// The way of one request to its admission: whom its credential names, whether they may, what it costs them, and what
/// becomes of the charge.
///
/// A value without channel, task and clock: each method says what has happened, and returns what is to be done about it.
/// Two shells do it and say what came of it: the data plane's ``GatewayRequest`` with callbacks on an event loop, the
/// control plane's ``Gatekeeper`` with `await`.
///
///     begin ──► redeem(ticket) ──► redeemed ─┐
///       ├─────► verify(credential) ► verified ┤
///       └── the caller is remembered ─────────┴─► gatherBody ─► bodyGathered ─┐
///                                             └──────────────────────────────┴► ask ─► decided
///     decided ─► admit │ refuse │ ask once more │ readStoredAnswer ─► replay │ ask once more
///     admit ──► settle(as: outcome)
struct AdmissionFlow {
    /// What a request is admitted to.
    enum Purpose {
        /// The front end is told who the caller is.
        case verifyAuth
        /// A proxy is told whether the request that it asks about may pass. How that ends is not seen here.
        case authorize
        /// The request is carried to an upstream.
        case proxy
        /// One of the gateway's own endpoints works for the caller.
        case endpoint
    }

    /// What is to be done next.
    enum Action {
        case nothing
        /// Tell the flow by ``verified(_:at:from:)`` whom the credential names.
        case verify(PresentedCredential)
        /// Have the store use the ticket up, and tell the flow by ``redeemed(_:at:from:)`` whom it names.
        case redeem(Ticket)
        /// Gather the request's body, if it is not there yet, and tell the flow by ``bodyGathered(fingerprint:at:)``.
        case gatherBody
        /// Ask the store, and tell the flow its answer by ``decided(_:at:)``.
        case ask(AdmissionRequest)
        /// Read the answer that was kept for repeats, and tell the flow by ``storedAnswerRead(_:at:)``.
        case readStoredAnswer(IdempotentCall, UserID)
        /// Carry the request out, and tell the flow by ``settle(as:)`` how it has ended.
        case admit
        /// Answer as the attempt that has finished was answered.
        case replay(StoredAnswer)
        /// Answer with the error.
        indirect case refuse(APIError)
        /// Tell the store how the reserved call has ended.
        case settle(Reservation, Reservation.Outcome)
    }

    /// A time, and whether it is the one that all workers go by.
    struct ClockReading {
        let time: UnixTime
        let isKnown: Bool
    }

    let purpose: Purpose
    let policy: AdmissionPolicy
    let state: AdmissionState

    /// The principal, once it is known. Whether it is admitted is decided later.
    private(set) var principal: Principal?

    /// Where a key comes from, once it is known whom it names.
    private var network: ClientNetwork?

    /// Who may pass, once it is decided.
    var admitted: AdmittedCaller?

    /// The name of the plan that counted, once the store has answered.
    var plan: String?

    /// It passes though the store has decided nothing.
    var isDegraded = false

    /// The credential is in none of the fields that are for it: fields beside it are not looked at.
    var isOutsideFields = false

    /// No answer is waited for any more: it was given, or the client has gone.
    private(set) var isOver = false

    /// What is put to the store.
    private(set) var request: AdmissionRequest?

    /// Whether the time was known when the credential began to be verified.
    var beganAtKnownTime = true

    /// What a secret key came in that is not remembered yet.
    var presentation: KeyMemory.Presentation?

    /// The key is one that the store has admitted before.
    var isKnownKey = false
    var idempotencyKey: String?

    /// Nil for a request without a key, for one whose body is too long, and once the answer that its repeats should get
    /// has turned out to be of no use: those are ordinary calls.
    var idempotentCall: IdempotentCall?
    var hasAskedAgain = false
    var reservation: Reservation?

    /// What is to be booked of a request that passed without the store, if it succeeds.
    var outageCharge: OutageCharge?

    init(_ purpose: Purpose, _ policy: AdmissionPolicy, _ state: AdmissionState) {
        self.purpose = purpose
        self.policy = policy
        self.state = state
    }

    // MARK: The question to the store

    mutating func admit(
        _ principal: Principal, at now: ClockReading, from network: @autoclosure () -> ClientNetwork
    ) -> Action {
        self.principal = principal
        if presentation != nil, !principal.credential.isSecretKey { presentation = nil }
        if principal.credential.isKey {
            let network = network()
            // Others behind the same address keep the keys that are known to be good.
            if !isKnownKey, !state.outage.isKnown(principal.credential),
                let refusal = guessRefusal(at: now.time, from: network)
            {
                return .refuse(refusal)
            }
            self.network = network
        }
        return idempotencyKey == nil ? ask(at: now.time) : .gatherBody
    }

    /// Whether an `Idempotency-Key` makes a difference: where its caller is known and the outcome is seen here, and either
    /// the charge or the answer hangs on it.
    var honoursIdempotencyKeys: Bool {
        switch purpose {
        case .verifyAuth: true
        case .authorize, .endpoint: false
        case .proxy: policy.authentication != .none && (policy.cost > 0 || policy.idempotency == .replay)
        }
    }

    /// The body is there.
    ///
    /// - Parameter fingerprint: What tells the request from others under its idempotency key. Nil for one whose body is
    ///   too long.
    mutating func bodyGathered(fingerprint: String?, at now: ClockReading) -> Action {
        guard !isOver, let idempotencyKey else { return .nothing }
        idempotentCall = fingerprint.flatMap { IdempotentCall(key: idempotencyKey, fingerprint: $0) }
        return ask(at: now.time)
    }

    mutating func ask(at time: UnixTime) -> Action {
        guard let principal else { return .nothing }
        let request = AdmissionRequest(
            principal: principal, time: time, network: network, cost: policy.cost, route: bookedUnder,
            quotaPolicy: policy.quotaPolicy, requiredScopes: policy.scopes, idempotentCall: idempotentCall,
            reservation: reservationWish, routeLimit: policy.routeLimit)
        self.request = request
        return .ask(request)
    }

    /// Where the user's days say that the calls went.
    private var bookedUnder: String {
        policy.bookedUnder ?? (purpose == .verifyAuth ? "verify-auth" : "authorize")
    }

    /// Whether it is seen here how the request ends.
    var seesOutcome: Bool { purpose == .proxy || purpose == .endpoint }

    /// Nothing is given back of a request whose outcome is not seen here, or that costs nothing.
    private var reservationWish: Reservation.Request? {
        let givesBack = policy.charge == .success && policy.cost > 0 && seesOutcome
        guard givesBack || idempotentCall != nil else { return nil }
        return Reservation.Request(
            id: state.requestIDs.next(), leaseSeconds: policy.leaseSeconds, givesBack: givesBack)
    }

    // MARK: The end

    /// The client has gone, before or after its request was admitted.
    mutating func clientGone() { isOver = true }

    /// The answer was given.
    mutating func answered() { isOver = true }
}

extension TimeSource {
    /// Whether the time is known is asked first: it may become so in between, and the time that was read is not that one.
    var reading: AdmissionFlow.ClockReading {
        let isKnown = isKnown
        return .init(time: now(), isKnown: isKnown)
    }
}

extension Credential {
    var isSecretKey: Bool { if case .secretKey = self { true } else { false } }
}
