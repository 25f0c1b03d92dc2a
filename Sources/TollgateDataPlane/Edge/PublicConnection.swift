import HTTPWire
import NIOCore

/// One connection of a client: hands each request to a responder, and sees to it that it gets an answer that a client can
/// use. What is to be done is decided by ``PublicConnectionState``.
///
/// While the gateway drains it puts `Connection: close` on the last answer of each connection, so that no client loses a
/// request.
///
/// Confined to its event loop.
final class PublicConnection: ChannelDuplexHandler, Timed {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    private let drain: DrainState
    private let answers: AnswerWriter
    private let dispatcher: any RequestDispatcher
    private(set) var context: ChannelHandlerContext?
    private var state: PublicConnectionState

    /// Answers the request in progress.
    private var responder: (any RequestResponder)?
    private var isProcessing = false
    private var isReadHeld = false
    private let timers: ConnectionTimers

    /// Of the connection's event loop. Nil when no line is written for a request.
    let accessLog: LoopAccessLog?
    private var timerDeadline = NIODeadline.distantFuture
    var queueIndex: Int?

    /// - Parameter timers: Of the connection's event loop.
    init(
        limits: ConnectionLimits, drain: DrainState, answers: AnswerWriter, dispatcher: any RequestDispatcher,
        timers: ConnectionTimers, accessLog: LoopAccessLog? = nil
    ) {
        self.accessLog = accessLog
        self.drain = drain
        self.answers = answers
        self.dispatcher = dispatcher
        self.timers = timers
        state = PublicConnectionState(limits: limits, at: .now())
    }

    var limits: ConnectionLimits { state.limits }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        wake(at: .now() + limits.idleTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timers.remove(self)
        self.context = nil
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = NIODeadline.now()
        state.received(unwrapInboundIn(data), at: now)
        process()
        watchArrival(at: now)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        responder?.flushBody()
        context.fireChannelReadComplete()
    }

    /// Takes what has come as far as it can be taken now.
    private func process() {
        // A responder that is called may call back; one loop is enough.
        guard !isProcessing else { return }
        isProcessing = true
        defer { isProcessing = false }
        while true {
            switch state.next(responderTakesBody: responder?.takesBody ?? true) {
            case .none: return
            case .head(let head): begin(head)
            case .body(let bytes): responder?.body(bytes)
            case .bodyEnded(let trailers): responder?.bodyEnded(trailers: trailers)
            case .refuse(let problem): refuse(APIError(problem))
            case .close: close()
            case .linger: linger()
            }
        }
    }

    private func begin(_ head: RequestHead) {
        guard let responder = dispatcher.begin(head, on: self) else { return }
        let rate = state.expectsBody ? responder.minimumBodyRate : 0
        if state.responderBegan(minimumBodyRate: rate) { self.responder = responder }
    }

    /// What the client has sent behind its request, for a protocol that is not HTTP.
    func takeEarlyBytes() -> ByteBuffer {
        wake(at: .distantFuture)
        return state.becomeTunnel()
    }

    /// The responder takes more of the body.
    func responderTakesBody() {
        process()
        responder?.flushBody()
        watchArrival(at: .now())
        releaseRead()
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeld = true }
    }

    private var mayRead: Bool { state.mayRead(responderTakesBody: responder?.takesBody ?? true) }

    private func releaseRead() {
        guard isReadHeld, mayRead else { return }
        isReadHeld = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        responder?.clientWritabilityChanged(isWritable: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    // MARK: Answers

    /// Whether an answer is still awaited.
    var mayAnswer: Bool { state.mayAnswer }

    /// The client sends nothing more; it may still read.
    var hasClientStopped: Bool { state.hasClientStopped }

    /// The final answer begins.
    ///
    /// - Parameter asksToClose: It is to be the connection's last.
    /// - Returns: What `Connection` is to say, if anything.
    func answerBegins(asksToClose: Bool = false) -> String? {
        state.answerBegins(asksToClose: asksToClose, isDraining: drain.isDraining)
    }

    /// Ends the head of the final answer: says whether the connection goes on, and writes the empty line.
    func endHead(_ head: inout ByteBuffer, asksToClose: Bool = false) {
        if let option = answerBegins(asksToClose: asksToClose) { head.writeField("Connection", option) }
        head.writeLineEnd()
    }

    var isAnswerToHead: Bool { state.isAnswerToHead }
    var isAnswerToHTTP10: Bool { state.isAnswerToHTTP10 }
    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    func flush() { context?.flush() }

    /// The final answer was written to its end.
    func answerEnded() {
        guard let context, state.mayAnswer else { return }
        context.flush()
        let isLast = state.answerEnded(at: .now())
        responder = nil
        if isLast { return linger() }
        process()
        releaseRead()
    }

    /// The answer cannot be completed: the client must see that it was cut off.
    func abort() {
        responder = nil
        if state.abort() { context?.channel.closesWithReset() }
        context?.close(promise: nil)
    }

    /// Answers instead of the responder.
    private func refuse(_ error: APIError) {
        switch state.refuse() {
        case .none: break
        case .answer:
            responder.take()?.clientGone()
            answers.write(error, on: self)
        case .abort:
            responder.take()?.clientGone()
            abort()
        }
    }

    // MARK: The end

    private func linger() {
        responder = nil
        wake(at: state.linger(at: .now()))
        guard let context else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            guard let self else { return }
            perform(state.outputClosed(at: .now()))
        }
        if state.hasClientStopped {
            // With the other half closed already, closing this one would not wait for what is still to be written.
            context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        } else {
            context.close(mode: .output, promise: written)
        }
        releaseRead()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed: if state.clientStopped() { perform(.hangUp) } else { process() }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// The server shuts down: nothing is begun, and what is in progress comes to its end.
    func quiesce() { perform(state.quiesce(at: .now())) }

    func close() {
        state.close()
        responder.take()?.clientGone()
        context?.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timers.remove(self)
        state.close()
        responder.take()?.clientGone()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    // MARK: Time

    private func perform(_ wait: PublicConnectionWait) {
        switch wait {
        case .none: break
        case .wait(let until): wake(at: until)
        case .refuseLate: refuse(.requestTimeout)
        case .refuseTooSlow: refuse(.bodyTooSlow(bytesPerSecond: responder?.minimumBodyRate ?? 0))
        case .close: close()
        case .hangUp: context?.close(promise: nil)
        }
    }

    /// Has ``timePassed()`` called at `deadline`.
    private func wake(at deadline: NIODeadline) {
        guard context != nil else { return }
        timerDeadline = deadline
        timers.wake(self, at: deadline)
    }

    /// The moment has come for which a timer was set.
    func timePassed() {
        timerDeadline = .distantFuture
        perform(state.timePassed(limitsArrival: responder?.limitsArrival ?? true, at: .now()))
    }

    /// Has the timer fire in time for what is waited for now.
    private func watchArrival(at now: NIODeadline) {
        guard !state.isRequestComplete else { return }
        let deadline = state.watchArrival(
            awaitsBody: responder?.awaitsBody, limitsArrival: responder?.limitsArrival ?? true, at: now)
        if let deadline, deadline < timerDeadline { wake(at: deadline) }
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
