import HTTPWire
import NIOCore

/// One connection of a client: takes requests off the wire, one after the other, and sees to it that each gets an
/// answer that a client can use, in the order of the requests (RFC 9112, section 9.3.2). A request that comes while
/// another is in progress waits as bytes.
///
/// It closes as HTTP asks (RFC 9112, section 9.6): after the answer that says `Connection: close` it sends no more,
/// reads on while the client still sends, so that the answer is not lost to a reset, and then hangs up. While the worker
/// drains it puts `Connection: close` on the last answer of each connection, so that no client loses a request.
///
/// A client that has closed its half of the connection gets the answers to the requests that were complete.
///
/// Confined to its event loop.
final class PublicConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    /// A request in progress.
    private struct Request {
        var body: BodyReader
        var pace = BodyPace(bytesPerSecond: 0)
        var worker: (any RequestWorker)?
        let isHead: Bool
        let isHTTP10: Bool
        var isComplete = false
        var isAnswerBegun = false
    }

    let limits: ConnectionLimits
    private let drain: DrainState
    private let answers: AnswerWriter
    private let dispatcher: any RequestDispatcher
    private(set) var context: ChannelHandlerContext?

    private var inbound = ByteBuffer()
    private var scanner: HeadScanner
    private var request: Request?
    private var isProcessing = false
    private var isReadHeld = false

    /// No further request is taken; the answer in progress is the last.
    private var closesAfterAnswer = false

    /// Nothing more is said.
    private var isClosing = false

    /// When it is hung up at the latest, once nothing more is said.
    private var closeDeadline = NIODeadline.distantFuture
    private var isOutputClosed = false
    private var isTunnel = false

    /// The client sends nothing more; it may still read.
    private(set) var hasClientStopped = false

    private var timer: Scheduled<Void>?
    private var timerDeadline = NIODeadline.distantFuture
    private var lastActivity = NIODeadline.now()
    private var arrivalBegan: NIODeadline?

    init(
        limits: ConnectionLimits, drain: DrainState, answers: AnswerWriter, dispatcher: any RequestDispatcher
    ) {
        self.limits = limits
        self.drain = drain
        self.answers = answers
        self.dispatcher = dispatcher
        scanner = HeadScanner(limitBytes: limits.headBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        scheduleTimer(at: lastActivity + limits.idleTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        self.context = nil
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActivity = .now()
        guard !isClosing else { return }
        var bytes = unwrapInboundIn(data)
        if request == nil {
            if arrivalBegan == nil { arrivalBegan = lastActivity }
        } else if request?.isComplete == false {
            request?.pace.received(bytes.readableBytes)
        }
        if inbound.readableBytes == 0 { inbound = bytes } else { inbound.writeBuffer(&bytes) }
        process()
        watchArrival(at: lastActivity)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        request?.worker?.flushBody()
        context.fireChannelReadComplete()
    }

    /// Takes what has come as far as it can be taken now.
    private func process() {
        // Whoever is called may call back; one loop is enough.
        guard !isProcessing else { return }
        isProcessing = true
        defer { isProcessing = false }
        do {
            while !isClosing, !isTunnel, try request == nil ? takeHead() : takeBody() {}
        } catch {
            refuse(APIError(error))
        }
        // What was complete is answered.
        if hasClientStopped, request == nil, !isClosing, !isTunnel { linger() }
    }

    /// - Returns: Whether there was one.
    private func takeHead() throws(MessageProblem) -> Bool {
        guard !closesAfterAnswer, inbound.readableBytes > 0 else { return false }
        guard let length = try scanner.end(in: inbound), let bytes = inbound.readSlice(length: length) else {
            return false
        }
        if inbound.readableBytes == 0 { inbound = ByteBuffer() }
        let head = try RequestHead(parsing: bytes)
        closesAfterAnswer = !head.isKeptAlive
        request = Request(
            body: BodyReader(head.framing), isHead: head.method == "HEAD", isHTTP10: head.isHTTP10)
        let worker = dispatcher.begin(head, on: self)
        // It may have been answered already.
        guard request != nil, let worker else { return true }
        request?.worker = worker
        if !isBodyAtEnd {
            request?.pace = BodyPace(bytesPerSecond: worker.minimumBodyRate)
            request?.pace.received(inbound.readableBytes)
        }
        return true
    }

    /// - Returns: Whether there is more to be done.
    private func takeBody() throws(MessageProblem) -> Bool {
        guard let current = request, !current.isComplete else { return false }
        // Its own end is always taken; bytes only when there is a place for them.
        if let worker = current.worker, !worker.takesBody, inbound.readableBytes > 0, !isBodyAtEnd { return false }
        guard let part = try request?.body.next(from: &inbound) else {
            // The rest will never come.
            if hasClientStopped { close() }
            return false
        }
        switch part {
        case .bytes(let bytes): current.worker?.body(bytes)
        case .end(let trailers):
            request?.isComplete = true
            arrivalBegan = nil
            current.worker?.bodyEnded(trailers: trailers)
        }
        return true
    }

    /// Whether the body has no further bytes, only its end.
    private var isBodyAtEnd: Bool { request?.body.isAtEnd ?? true }

    /// What the client has sent behind its request, for a protocol that is not HTTP.
    func takeEarlyBytes() -> ByteBuffer {
        isTunnel = true
        timer?.cancel()
        timer = nil
        defer { inbound = ByteBuffer() }
        return inbound
    }

    /// The worker takes more of the body.
    func workerTakesBody() {
        process()
        request?.worker?.flushBody()
        watchArrival(at: .now())
        releaseRead()
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeld = true }
    }

    private var mayRead: Bool {
        guard !isClosing, let request else { return true }
        if request.isComplete, inbound.readableBytes >= ConnectionLimits.maximumWaitingBytes { return false }
        return request.worker?.takesBody ?? true
    }

    private func releaseRead() {
        guard isReadHeld, mayRead else { return }
        isReadHeld = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        request?.worker?.clientWritabilityChanged(isWritable: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    // MARK: Answers

    /// Whether somebody still waits for an answer.
    var mayAnswer: Bool { request != nil && !isClosing }

    /// The final answer begins.
    ///
    /// - Parameter asksToClose: Whoever answers wants it to be the connection's last.
    /// - Returns: What `Connection` is to say, if anything.
    func answerBegins(asksToClose: Bool = false) -> String? {
        // What of the request was not read would be taken for the next one.
        let leavesRest = request?.isComplete == false && !isBodyAtEnd
        let isLastOfDrain = drain.isDraining && inbound.readableBytes == 0
        let isLastOfClient = hasClientStopped && inbound.readableBytes == 0
        if asksToClose || leavesRest || isLastOfDrain || isLastOfClient { closesAfterAnswer = true }
        request?.isAnswerBegun = true
        return closesAfterAnswer ? "close" : request?.isHTTP10 == true ? "keep-alive" : nil
    }

    /// Ends the head of the final answer: says whether the connection goes on, and writes the empty line.
    func endHead(_ head: inout ByteBuffer, asksToClose: Bool = false) {
        if let option = answerBegins(asksToClose: asksToClose) { head.writeField("Connection", option) }
        head.writeLineEnd()
    }

    var isAnswerToHead: Bool { request?.isHead ?? false }
    var isAnswerToHTTP10: Bool { request?.isHTTP10 ?? false }
    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    func flush() { context?.flush() }

    /// The final answer was written to its end.
    func answerEnded() {
        guard let context, request != nil else { return }
        context.flush()
        lastActivity = .now()
        if closesAfterAnswer { return linger() }
        if request?.isComplete == false { try? finishBody() }
        request = nil
        arrivalBegan = inbound.readableBytes > 0 ? lastActivity : nil
        process()
        releaseRead()
    }

    /// Takes the end of a body of which nothing else is left.
    private func finishBody() throws(MessageProblem) { _ = try request?.body.next(from: &inbound) }

    /// The answer cannot be completed: the client must see that it was cut off.
    func abort() {
        // To HTTP/1.0 an end of the connection may be the end of the answer; a reset never is.
        if request?.isHTTP10 == true { context?.channel.closesWithReset() }
        isClosing = true
        request = nil
        context?.close(promise: nil)
    }

    /// Answers instead of the worker, who is told that nobody waits for it any more.
    private func refuse(_ error: APIError) {
        guard !isClosing else { return }
        let worker = request?.worker
        let isAnswerBegun = request?.isAnswerBegun ?? false
        request?.worker = nil
        worker?.clientGone()
        guard !isAnswerBegun else { return abort() }
        closesAfterAnswer = true
        if request == nil { request = Request(body: BodyReader(.none), isHead: false, isHTTP10: false) }
        answers.write(error, on: self)
    }

    /// Hangs up when the client has what was written, and time to read it: one that is in the middle of sending sees an
    /// answer only if it is not reset, and may read none before it has sent all.
    private func linger() {
        isClosing = true
        request = nil
        inbound = ByteBuffer()
        guard let context else { return }
        // One that reads nothing at all is not waited for.
        hangUp(by: .now() + limits.idleTimeout)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.outputClosed() }
        if hasClientStopped {
            // With the other half closed already, closing this one would not wait for what is still to be written.
            context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        } else {
            context.close(mode: .output, promise: written)
        }
        releaseRead()
    }

    private func outputClosed() {
        isOutputClosed = true
        if hasClientStopped { return hangUp() }
        lastActivity = .now()
        hangUp(by: lastActivity + limits.lingerTimeout)
    }

    private func hangUp(by deadline: NIODeadline) {
        closeDeadline = deadline
        if let deadline = self.deadline { scheduleTimer(at: deadline) }
    }

    private func hangUp() { context?.close(promise: nil) }

    // MARK: The end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed: clientStopped()
        case is ChannelShouldQuiesceEvent: quiesce()
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// The client has closed its half of the connection. It still waits for its answers, or has gone altogether: then
    /// it resets the connection when it is written to.
    private func clientStopped() {
        hasClientStopped = true
        // A tunnel's ends see to it themselves.
        guard !isTunnel else { return }
        guard isClosing else { return process() }
        // Else the last answer is still on its way.
        if isOutputClosed { hangUp() }
    }

    /// The server shuts down: a request in progress is answered, nothing is begun.
    private func quiesce() {
        closesAfterAnswer = true
        if isTunnel { return close() }
        if isClosing {
            if isOutputClosed { hangUp(by: min(closeDeadline, .now() + limits.lingerSilence)) }
        } else if request == nil {
            close()
        }
    }

    private func close() {
        let worker = request?.worker
        request = nil
        isClosing = true
        worker?.clientGone()
        context?.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let worker = request?.worker
        request = nil
        isClosing = true
        timer?.cancel()
        worker?.clientGone()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    // MARK: Time

    private func scheduleTimer(at deadline: NIODeadline) {
        timer?.cancel()
        timerDeadline = deadline
        timer = context?.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            self?.checkTime()
        }
    }

    private func checkTime() {
        guard !isTunnel else { return }
        let now = NIODeadline.now()
        let deadline = deadline ?? now + limits.idleTimeout
        guard now >= deadline else { return scheduleTimer(at: deadline) }
        if isClosing { return hangUp() }
        if request == nil, arrivalBegan == nil { return close() }
        guard let worker = request?.worker, let paceEnd = request?.pace.deadline, paceEnd <= now else {
            return refuse(.requestTimeout)
        }
        refuse(.bodyTooSlow(bytesPerSecond: worker.minimumBodyRate))
    }

    /// Has the timer fire in time for what is waited for now.
    private func watchArrival(at now: NIODeadline) {
        if let isComplete = request?.isComplete {
            guard !isComplete else { return }
            if let worker = request?.worker { request?.pace.isAwaited(worker.awaitsBody, at: now) }
        }
        if let deadline, deadline < timerDeadline { scheduleTimer(at: deadline) }
    }

    /// When the client has taken too long. Nil while the time is the worker's affair.
    private var deadline: NIODeadline? {
        if isClosing { return isOutputClosed ? min(closeDeadline, lastActivity + limits.lingerSilence) : closeDeadline }
        let idleEnd = lastActivity + limits.idleTimeout
        guard let request else { return arrivalBegan.map { min(idleEnd, $0 + limits.requestTimeout) } ?? idleEnd }
        guard !request.isComplete else { return nil }
        let paceEnd = request.pace.deadline ?? .distantFuture
        guard request.worker?.limitsArrival ?? true else { return request.pace.deadline }
        return min(idleEnd, paceEnd, (arrivalBegan ?? lastActivity) + limits.requestTimeout)
    }
}

@available(*, unavailable)
extension PublicConnection: Sendable {}

extension APIError {
    fileprivate init(_ problem: MessageProblem) {
        switch problem {
        case .headTooLarge, .tooManyFields: self = .headersTooLarge
        case .majorVersion: self = .versionNotSupported("This port speaks HTTP/1.1. Send the request in that version.")
        case .http2Preface:
            self = .versionNotSupported(
                "This port speaks HTTP/1.1, not HTTP/2 without TLS (h2c). Let the client, or the proxy between, use it."
            )
        default: self = .badRequest("The request is not valid HTTP/1.1: \(problem.rawValue).")
        }
    }
}
