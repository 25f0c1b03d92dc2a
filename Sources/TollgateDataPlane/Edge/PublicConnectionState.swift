import HTTPWire
import NIOCore

/// One connection of a client, from the first byte to the last: which request is in progress, what of it has come, and
/// until when what is waited for has to come.
///
/// It takes requests off the wire one after the other, in the order in which they are answered (RFC 9112, section
/// 9.3.2); one that comes while another is in progress waits as bytes. It closes as HTTP asks (section 9.6): after the
/// answer that says `Connection: close` it sends no more, reads on while the client still sends, so that the answer is
/// not lost to a reset, and then hangs up. A client that has closed its half of the connection gets the answers to the
/// requests that were complete.
///
/// Pure: methods take what has happened, and when, and return what is to be done. It sees no channel, and no responder: what
/// it has to know of that is an argument.
struct PublicConnectionState: ~Copyable {
    private enum State {
        /// For a request. With the moment in which the first bytes of one had come.
        case waiting(arrivalBegan: NIODeadline?)
        case serving(RequestProgress)
        /// Nothing more is said.
        case lingering(Lingering)
        /// Bytes are another protocol's.
        case tunnel
        case closed
    }

    private struct Lingering {
        /// When it is hung up at the latest.
        var deadline: NIODeadline
        var isOutputClosed = false
    }

    let limits: ConnectionLimits
    private var state = State.waiting(arrivalBegan: nil)
    private var lastActivity: NIODeadline

    /// The client sends nothing more; it may still read.
    private(set) var hasClientStopped = false

    // Beside the states, so that bytes are never copied on the way from one to the next.
    private var inbound = ByteBuffer()
    private var scanner: HeadScanner

    init(limits: ConnectionLimits, at now: NIODeadline) {
        self.limits = limits
        lastActivity = now
        scanner = HeadScanner(limitBytes: limits.headBytes)
    }

    // MARK: What it is

    private var request: RequestProgress? { if case .serving(let request) = state { request } else { nil } }

    /// Whether an answer is still awaited.
    var mayAnswer: Bool { if case .serving = state { true } else { false } }

    var isAnswerToHead: Bool { request?.isHead ?? false }
    var isAnswerToHTTP10: Bool { request?.isHTTP10 ?? false }

    /// Whether the request in progress has come to its end.
    var isRequestComplete: Bool { request?.isComplete ?? false }

    /// Whether there is, or may be, more of the body than its end.
    var expectsBody: Bool { request?.expectsBody ?? false }

    // MARK: Requests

    mutating func received(_ bytes: ByteBuffer, at now: NIODeadline) {
        lastActivity = now
        switch state {
        case .waiting(nil): state = .waiting(arrivalBegan: now)
        case .serving(var request) where !request.isComplete:
            request.pace.received(bytes.readableBytes)
            state = .serving(request)
        case .waiting, .serving: break
        case .lingering, .tunnel, .closed: return
        }
        if inbound.readableBytes == 0 { inbound = bytes } else { inbound.writeImmutableBuffer(bytes) }
    }

    /// The next that is to be done with what has come.
    ///
    /// - Parameter responderTakesBody: Whether there is a place for more of the body.
    mutating func next(responderTakesBody: Bool) -> PublicConnectionStep {
        do throws(MessageProblem) {
            switch state {
            case .waiting(let arrivalBegan):
                if let head = try nextHead(arrivalBegan) { return .head(head) }
                // What was complete is answered.
                return hasClientStopped ? .linger : .none
            case .serving(let request) where !request.isComplete:
                return try nextPart(of: request, responderTakesBody: responderTakesBody)
            case .serving, .lingering, .tunnel, .closed: return .none
            }
        } catch {
            return .refuse(error)
        }
    }

    private mutating func nextHead(_ arrivalBegan: NIODeadline?) throws(MessageProblem) -> RequestHead? {
        guard inbound.readableBytes > 0, let length = try scanner.end(in: inbound),
            let bytes = inbound.readSlice(length: length)
        else { return nil }
        if inbound.readableBytes == 0 { inbound = ByteBuffer() }
        let head = try RequestHead(parsing: bytes)
        state = .serving(RequestProgress(head, arrivalBegan: arrivalBegan))
        return head
    }

    private mutating func nextPart(
        of request: RequestProgress, responderTakesBody: Bool
    ) throws(MessageProblem) -> PublicConnectionStep {
        // Its own end is always taken; bytes only when there is a place for them.
        if request.hasResponder, !responderTakesBody, inbound.readableBytes > 0, request.expectsBody { return .none }
        var request = request
        guard let part = try request.body.next(from: &inbound) else {
            state = .serving(request)
            // The rest will never come.
            return hasClientStopped ? .close : .none
        }
        switch part {
        case .bytes(let bytes):
            state = .serving(request)
            return .body(bytes)
        case .end(let trailers):
            request.completed()
            state = .serving(request)
            return .bodyEnded(trailers: trailers)
        }
    }

    /// The request in progress has a responder.
    ///
    /// - Parameter minimumBodyRate: Bytes of the body that have to come in a second. 0 sets no limit.
    /// - Returns: Whether it has something to do: the request may have been answered already.
    mutating func responderBegan(minimumBodyRate: Int) -> Bool {
        guard case .serving(var request) = state else { return false }
        request.hasResponder = true
        request.pace = BodyPace(bytesPerSecond: minimumBodyRate)
        request.pace.received(inbound.readableBytes)
        state = .serving(request)
        return true
    }

    /// Bytes are another protocol's from now on. Gives those that have come already.
    mutating func becomeTunnel() -> ByteBuffer {
        state = .tunnel
        defer { inbound = ByteBuffer() }
        return inbound
    }

    /// Whether more is to be read.
    func mayRead(responderTakesBody: Bool) -> Bool {
        guard case .serving(let request) = state else { return true }
        if request.isComplete, inbound.readableBytes >= ConnectionLimits.maximumWaitingBytes { return false }
        return !request.hasResponder || responderTakesBody
    }

    // MARK: Answers

    /// The final answer begins.
    ///
    /// - Parameters:
    ///   - asksToClose: It is to be the connection's last.
    ///   - isDraining: The gateway is on its way out.
    /// - Returns: What `Connection` is to say, if anything.
    mutating func answerBegins(asksToClose: Bool, isDraining: Bool) -> String? {
        guard case .serving(var request) = state else { return "close" }
        // What of the request was not read would be taken for the next one.
        let leavesRest = !request.isComplete && request.expectsBody
        let isLastThatCame = (isDraining || hasClientStopped) && inbound.readableBytes == 0
        if asksToClose || leavesRest || isLastThatCame { request.isLast = true }
        request.isAnswerBegun = true
        state = .serving(request)
        return request.isLast ? "close" : request.isHTTP10 ? "keep-alive" : nil
    }

    /// The final answer was written to its end.
    ///
    /// - Returns: Whether it was the last: the connection is to linger. Else the next request may begin.
    mutating func answerEnded(at now: NIODeadline) -> Bool {
        guard case .serving(let request) = state else { return false }
        lastActivity = now
        if request.isLast { return true }
        state = .waiting(arrivalBegan: inbound.readableBytes > 0 ? now : nil)
        return false
    }

    /// The answer cannot be completed: the connection is to be closed.
    ///
    /// - Returns: Whether with a reset: to HTTP/1.0 an end of the connection may be the end of the answer, a reset never
    ///   is.
    mutating func abort() -> Bool {
        defer { state = .closed }
        return isAnswerToHTTP10
    }

    /// What has come, or has not come in time, is answered by the connection itself. Its responder is told that its
    /// client is gone.
    mutating func refuse() -> PublicConnectionRefusal {
        switch state {
        case .waiting(let arrivalBegan):
            state = .serving(RequestProgress(unreadableSince: arrivalBegan))
            return .answer
        case .serving(var request):
            request.hasResponder = false
            request.isLast = true
            state = .serving(request)
            return request.isAnswerBegun ? .abort : .answer
        case .lingering, .tunnel, .closed: return .none
        }
    }

    // MARK: The end

    /// Nothing more is said: the output is to be closed when what was written has left, or has to leave first when the
    /// client has closed its half. Then ``outputClosed(at:)`` is due.
    ///
    /// - Returns: When it is hung up at the latest: a client that reads nothing at all is not waited for.
    mutating func linger(at now: NIODeadline) -> NIODeadline {
        let deadline = now + limits.idleTimeout
        state = .lingering(Lingering(deadline: deadline))
        inbound = ByteBuffer()
        return deadline
    }

    /// The client has what was written, and time to read it: one that is in the middle of sending sees an answer only if
    /// it is not reset, and may read none before it has sent all.
    mutating func outputClosed(at now: NIODeadline) -> PublicConnectionWait {
        guard case .lingering = state else { return .none }
        lastActivity = now
        state = .lingering(Lingering(deadline: now + limits.lingerTimeout, isOutputClosed: true))
        return hasClientStopped ? .hangUp : lingersOn
    }

    private var lingersOn: PublicConnectionWait { deadline(limitsArrival: true).map { .wait(until: $0) } ?? .none }

    /// The client has closed its half of the connection. It still waits for its answers, or has gone altogether: then
    /// it resets the connection when it is written to.
    ///
    /// - Returns: Whether the connection is to be closed now. Else ``next(responderTakesBody:)`` knows more.
    mutating func clientStopped() -> Bool {
        hasClientStopped = true
        // Else the last answer is still on its way. A tunnel's ends see to it themselves.
        return if case .lingering(let lingering) = state { lingering.isOutputClosed } else { false }
    }

    /// The server shuts down: a request in progress is answered, nothing is begun.
    mutating func quiesce(at now: NIODeadline) -> PublicConnectionWait {
        switch state {
        case .waiting, .tunnel: return .close
        case .serving(var request):
            request.isLast = true
            state = .serving(request)
            return .none
        case .lingering(var lingering) where lingering.isOutputClosed:
            lingering.deadline = min(lingering.deadline, now + limits.lingerSilence)
            state = .lingering(lingering)
            return lingersOn
        case .lingering, .closed: return .none
        }
    }

    /// The connection is closed, by whichever side.
    mutating func close() { state = .closed }

    // MARK: Time

    /// The timer has fired.
    ///
    /// - Parameter limitsArrival: Whether the request has to come within the connection's own time.
    mutating func timePassed(limitsArrival: Bool, at now: NIODeadline) -> PublicConnectionWait {
        switch state {
        case .tunnel, .closed: return .none
        case .waiting, .serving, .lingering: break
        }
        let deadline = deadline(limitsArrival: limitsArrival) ?? now + limits.idleTimeout
        guard now >= deadline else { return .wait(until: deadline) }
        switch state {
        case .lingering: return .hangUp
        case .waiting(nil): return .close
        case .serving(let request): return request.isTooSlow(at: now) ? .refuseTooSlow : .refuseLate
        case .waiting, .tunnel, .closed: return .refuseLate
        }
    }

    /// Something has come, or has found a place.
    ///
    /// - Parameter awaitsBody: Whether it is the client that is waited for. Nil when the request has no responder.
    /// - Returns: When the timer has to fire at the latest. Nil while only the responder limits the time.
    mutating func watchArrival(awaitsBody: Bool?, limitsArrival: Bool, at now: NIODeadline) -> NIODeadline? {
        if let awaitsBody, case .serving(var request) = state, !request.isComplete {
            request.pace.isAwaited(awaitsBody, at: now)
            state = .serving(request)
        }
        return deadline(limitsArrival: limitsArrival)
    }

    /// When the client has taken too long. Nil while only the responder limits the time.
    private func deadline(limitsArrival: Bool) -> NIODeadline? {
        let idleEnd = lastActivity + limits.idleTimeout
        switch state {
        case .waiting(let arrivalBegan): return arrivalBegan.map { min(idleEnd, $0 + limits.requestTimeout) } ?? idleEnd
        case .serving(let request):
            guard !request.isComplete else { return nil }
            guard limitsArrival else { return request.pace.deadline }
            let arrivalEnd = (request.arrivalBegan ?? lastActivity) + limits.requestTimeout
            return min(idleEnd, request.pace.deadline ?? .distantFuture, arrivalEnd)
        case .lingering(let lingering):
            let silenceEnd = lingering.isOutputClosed ? lastActivity + limits.lingerSilence : .distantFuture
            return min(lingering.deadline, silenceEnd)
        case .tunnel, .closed: return nil
        }
    }
}
