import HTTPWire
import NIOCore

/// One request on its way to an upstream and its answer on the way back: tries, the parts of both messages, time, and
/// whose fault it is when there is no whole answer.
///
/// Pure: methods take what has happened, and when, and return what is to be done. It sees no channel and no pool; what
/// is sent only passes by it.
struct ExchangeState: ~Copyable {
    private enum Stage {
        /// Not begun. With the reason for which the request must not be carried to any upstream.
        case created(RequestProblem?)
        /// For a connection to the upstream of this try.
        case waiting
        case active(Try)
        case tunnel
        case ended
    }

    /// A try that has a connection.
    private struct Try {
        /// Whether the upstream takes more of the request.
        var isWritable: Bool
        var progress = RetryPolicy.Progress(isHeadSent: true)
        var isRequestSent = false
    }

    private let terms: Terms
    private let start: NIODeadline
    private var stage: Stage
    private var lastActivity: NIODeadline

    // The request.
    private var held: [ByteBuffer] = []
    private(set) var trailers = FieldSection.none
    private(set) var isRequestComplete = false
    private var requestBytes = 0

    // The tries.
    /// Bit `n` is set when member `n` of the group was tried.
    private(set) var tried: UInt64 = 0
    private var tries = 0
    private var tryError: ProxyError?

    // The answer.
    private var status: Int?
    private var answerBytes = 0
    private var isKeptAlive = false
    private var isUpgrading = false
    private var needsFlush = false
    private var client = ClientBackpressure()

    /// - Parameter problem: Why the request must not be carried to any upstream.
    init(_ terms: Terms, problem: RequestProblem? = nil, at now: NIODeadline) {
        self.terms = terms
        start = now
        lastActivity = now
        stage = .created(problem)
    }

    // MARK: The request

    mutating func begin(isClientWritable: Bool, at now: NIODeadline) -> Next {
        guard case .created(let problem) = stage else { return .nothing }
        client.isWritable = isClientWritable
        stage = .waiting
        return problem.map { end(.request($0), .abandoned, at: now) } ?? .attempt
    }

    /// Whether more is to be read from the client. When the request is complete, reading on shows whether the client is
    /// still there; of a client that waits for a change of protocol nothing is read.
    var takesBody: Bool {
        switch stage {
        case .active(let attempt): isRequestComplete ? terms.upgrades.isEmpty : attempt.isWritable
        case .waiting: isRequestComplete && terms.upgrades.isEmpty
        case .created, .tunnel: false
        case .ended: true
        }
    }

    /// Whether the client is waited for: the upstream takes more of the body, and its word does not come first.
    var awaitsBody: Bool {
        guard case .active(let attempt) = stage, !isRequestComplete else { return false }
        return attempt.isWritable && (requestBytes > 0 || !waitsForContinue(attempt))
    }

    /// A part of the body has come.
    mutating func bodyArrived(_ bytes: ByteBuffer, at now: NIODeadline) -> BodyPlace {
        guard !isEnded else { return .nowhere }
        requestBytes += bytes.readableBytes
        if let limit = terms.maximumRequestBytes, requestBytes > limit {
            return ending(.request(.bodyTooLarge(limitBytes: limit)), .abandoned, at: now).map { .end($0) } ?? .nowhere
        }
        lastActivity = now
        guard case .active(var attempt) = stage else {
            held.append(bytes)
            return .held
        }
        attempt.progress.isBodySent = true
        stage = .active(attempt)
        return .upstream
    }

    /// The request is complete.
    ///
    /// - Returns: Whether its end is to be sent now.
    mutating func requestEnded(trailers: FieldSection) -> Bool {
        guard !isEnded, !isRequestComplete else { return false }
        isRequestComplete = true
        self.trailers = trailers
        return isActive
    }

    /// The client's connection can take bytes, or cannot for now.
    ///
    /// - Returns: Whether more is to be read from the upstream.
    mutating func clientWritabilityChanged(isWritable: Bool, at now: NIODeadline) -> Bool {
        client.writabilityChanged(isWritable: isWritable, at: now)
        guard isWritable, isActive else { return false }
        lastActivity = now
        return true
    }

    mutating func clientGone(at now: NIODeadline) -> Next { end(.clientGone, .abandoned, at: now) }

    var isActive: Bool { if case .active = stage { true } else { false } }
    private var isEnded: Bool { if case .ended = stage { true } else { false } }

    // MARK: Tries

    /// An upstream was chosen.
    mutating func tryBegan(index: Int) {
        tried |= 1 << UInt64(index)
        tries += 1
    }

    /// There is none to choose. Why the last try failed says more than that there is no further one.
    mutating func noUpstream(_ error: ProxyError, at now: NIODeadline) -> Next {
        end(tryError ?? error, .abandoned, at: now)
    }

    /// The pool has a connection.
    ///
    /// - Returns: What of the body is to be sent behind the head. Nil when the connection is not needed any more.
    mutating func connected(isWritable: Bool, at now: NIODeadline) -> [ByteBuffer]? {
        guard case .waiting = stage else { return nil }
        var attempt = Try(isWritable: isWritable)
        attempt.progress.isBodySent = !held.isEmpty
        stage = .active(attempt)
        lastActivity = now
        defer { held = [] }
        return held
    }

    /// The end of the request is sent.
    mutating func requestSent(at now: NIODeadline) {
        guard case .active(var attempt) = stage else { return }
        attempt.isRequestSent = true
        stage = .active(attempt)
        lastActivity = now
    }

    /// There is no connection: nothing was sent.
    mutating func unavailable(_ error: ProxyError, isIdempotent: Bool, at now: NIODeadline) -> Next {
        guard case .waiting = stage else { return .nothing }
        return tryFailed(error, isIdempotent: isIdempotent, RetryPolicy.Progress(), at: now)
    }

    /// The connection has broken, or what came is no answer. Only before anything has come may it be tried again.
    mutating func failed(_ fault: UpstreamFault, isIdempotent: Bool, at now: NIODeadline) -> Next {
        guard case .active(let attempt) = stage else { return .nothing }
        switch fault {
        case .closed where !attempt.progress.isAnswerBegun:
            return tryFailed(
                .badGateway(.closedBeforeAnswer), isIdempotent: isIdempotent, attempt.progress, at: now)
        case .closed, .truncated: return fail(.badGateway(.truncatedAnswer), at: now)
        case .malformed(let reason): return fail(.badGateway(.malformedAnswer(reason)), at: now)
        }
    }

    private mutating func tryFailed(
        _ error: ProxyError, isIdempotent: Bool, _ progress: RetryPolicy.Progress, at now: NIODeadline
    ) -> Next {
        guard now < start + terms.timeouts.total,
            terms.retries.allowsRetry(tries: tries, isIdempotent: isIdempotent, progress: progress)
        else { return fail(error, at: now) }
        let verdict = verdict(on: error, at: now)
        tryError = error
        stage = .waiting
        return .retry(verdict)
    }

    private mutating func fail(_ error: ProxyError, at now: NIODeadline) -> Next {
        end(error, verdict(on: error, at: now), at: now)
    }

    /// The upstream's connection can take bytes, or cannot for now.
    ///
    /// - Returns: Whether more is to be read from the client.
    mutating func upstreamWritabilityChanged(isWritable: Bool, at now: NIODeadline) -> Bool {
        guard case .active(var attempt) = stage else { return false }
        attempt.isWritable = isWritable
        stage = .active(attempt)
        guard isWritable, !isRequestComplete else { return false }
        lastActivity = now
        return true
    }

    // MARK: The answer

    /// The head of an answer has come.
    mutating func answered(_ head: ResponseHead, at now: NIODeadline) -> Head {
        guard case .active(var attempt) = stage else { return .ignored }
        lastActivity = now
        attempt.progress.isAnswerBegun = true
        stage = .active(attempt)
        if head.status == 101 {
            let protocols = head.fields.members(.upgrade)
            guard attempt.isRequestSent, !protocols.isEmpty, protocols.allSatisfy(terms.upgrades.contains) else {
                return ending(.badGateway(.unrequestedUpgrade), .failure, at: now).map { .end($0) } ?? .ignored
            }
            isUpgrading = true
            return .upgrade(protocols)
        }
        guard head.status >= 200 else { return .interim }
        isKeptAlive = head.isKeptAlive
        status = head.status
        needsFlush = true
        return .final
    }

    /// A part of the answer's body has come.
    mutating func answerBodyArrived(_ count: Int, at now: NIODeadline) {
        lastActivity = now
        answerBytes += count
        needsFlush = true
    }

    /// The answer is complete.
    mutating func answerEnded(trailers: FieldSection, at now: NIODeadline) -> AnswerEnd {
        if isUpgrading, isActive {
            stage = .tunnel
            status = 101
            return .tunnel
        }
        guard status != nil, var ending = ending(nil, .success, at: now) else { return .interim }
        ending.trailers = trailers
        return .end(ending)
    }

    /// There is nothing more of the answer for now.
    ///
    /// - Returns: Whether the client is to be sent what was written.
    mutating func takeFlush() -> Bool {
        defer { needsFlush = false }
        return needsFlush
    }

    /// Whether more of it is to be read from the upstream: the client takes it.
    var takesAnswer: Bool { client.isWritable }

    // MARK: The end

    /// Both sides of a tunnel have ended.
    mutating func tunnelEnded(at now: NIODeadline) -> Next { end(nil, .success, at: now) }

    private mutating func end(_ error: ProxyError?, _ verdict: LoopUpstream.End, at now: NIODeadline) -> Next {
        ending(error, verdict, at: now).map { .end($0) } ?? .nothing
    }

    /// Nil when the exchange has ended already.
    private mutating func ending(
        _ error: ProxyError?, _ verdict: LoopUpstream.End, at now: NIODeadline
    ) -> Ending? {
        guard !isEnded else { return nil }
        let isUpstreamFailure =
            if let status, status >= 500 { true } else { error.map { self.isUpstreamFailure($0, at: now) } ?? false }
        var isAsked = true
        let connection: Release
        switch stage {
        case .active(let attempt) where error == nil:
            connection = .end(isReusable: attempt.isRequestSent && isKeptAlive)
        case .active: connection = .close
        case .tunnel: connection = .none
        case .waiting: (isAsked, connection) = (false, .cancel)
        case .created, .ended: (isAsked, connection) = (false, .none)
        }
        stage = .ended
        held = []
        let outcome = ProxyOutcome(
            status: status, requestBytes: requestBytes, answerBytes: answerBytes,
            durationNanoseconds: (now - start).nanoseconds, upstream: nil, retries: max(0, tries - 1), error: error,
            isAsked: isAsked, isUpstreamFailure: isUpstreamFailure)
        return Ending(outcome: outcome, verdict: verdict, connection: connection)
    }

    /// How long a client may take nothing before it is the cause of an answer that is cut off: servers hang up on
    /// clients that do not read.
    private static let patienceOfUpstreams = TimeAmount.seconds(5)

    /// What a try that ends in `error` says about the upstream: nothing when the client has a part in it, or one client
    /// could take the upstream out of service for all others.
    private func verdict(on error: ProxyError, at now: NIODeadline) -> LoopUpstream.End {
        if case .unavailable = error { return .abandoned }
        return isUpstreamFailure(error, at: now) ? .failure : .abandoned
    }

    private func isUpstreamFailure(_ error: ProxyError, at now: NIODeadline) -> Bool {
        switch error {
        case .request, .clientStalled, .clientGone: return false
        // Servers hang up on clients that keep back the rest of a body, too.
        case .badGateway(.closedBeforeAnswer): return !awaitsBody
        case .badGateway(.truncatedAnswer):
            return !awaitsBody && client.longestBlock(at: now) < Self.patienceOfUpstreams
        // How fast the whole goes is up to the client, too: only one that has waited for an answer has no part in it.
        case .gatewayTimeout(.total): return isRequestSent && status == nil
        case .badGateway, .gatewayTimeout, .unavailable: return true
        }
    }

    private var isRequestSent: Bool { if case .active(let attempt) = stage { attempt.isRequestSent } else { false } }

    // MARK: Time

    /// The client waits for the upstream's word before it sends the body.
    private func waitsForContinue(_ attempt: Try) -> Bool {
        terms.expectsContinue && !attempt.progress.isAnswerBegun
    }

    /// What the timer is to wait for next, unless time is up.
    mutating func timePassed(at now: NIODeadline) -> Time {
        guard case .active(let attempt) = stage else { return .none }
        let timeouts = terms.timeouts
        let waitsForHead = attempt.isRequestSent && !attempt.progress.isAnswerBegun
        let phaseEnd = lastActivity + (waitsForHead ? timeouts.firstByte : timeouts.idle)
        let totalEnd = start + timeouts.total
        let end = min(phaseEnd, totalEnd)
        guard now >= end else { return .wait(until: end) }
        let error: ProxyError
        if now >= totalEnd {
            error = .gatewayTimeout(.total)
        } else if waitsForHead || (waitsForContinue(attempt) && requestBytes == 0) {
            error = .gatewayTimeout(.firstByte)
        } else if attempt.isRequestSent ? !client.isWritable : attempt.isWritable {
            error = .clientStalled
        } else {
            error = .gatewayTimeout(.idle)
        }
        return ending(error, verdict(on: error, at: now), at: now).map { .end($0) } ?? .none
    }
}
