import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Limits of one public connection.
package struct ConnectionLimits: Sendable {
    /// A connection on which nothing moves for this long is closed; a request that has begun is answered 408 first.
    package var idleTimeout: TimeAmount

    /// A whole request must arrive within this time, however busily its bytes trickle.
    package var requestTimeout: TimeAmount

    /// After the last answer of a connection, this long is waited for the client to read it and hang up.
    package var lingerTimeout: TimeAmount

    package init(
        idleTimeout: TimeAmount, requestTimeout: TimeAmount = .seconds(30), lingerTimeout: TimeAmount = .seconds(2)
    ) {
        self.idleTimeout = idleTimeout
        self.requestTimeout = requestTimeout
        self.lingerTimeout = lingerTimeout
    }
}

/// Stands between the HTTP decoder and the application on every connection, and sees to it that each request gets an
/// answer a client can use: for bytes that are no HTTP, for headers that are too long, for requests that never end.
///
/// It closes a connection as HTTP asks (RFC 9112, section 9.6): after the answer that says `Connection: close` it
/// sends no more, reads on for a moment so that the answer is not lost to a reset, and then hangs up. While the worker
/// drains it puts `Connection: close` on the last answer of each connection, so that no client loses a request.
///
/// Confined to its event loop.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limits: ConnectionLimits
    private let drain: DrainState
    private let requestIDs: RequestIDGenerator
    private var state = ConnectionState()
    private var timer: Scheduled<Void>?
    private var lastActivity = NIODeadline.now()
    private var requestBegan: NIODeadline?

    init(limits: ConnectionLimits, drain: DrainState, requestIDs: RequestIDGenerator) {
        self.limits = limits
        self.drain = drain
        self.requestIDs = requestIDs
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // The decoder shows whole heads only. Whether a client dribbles one is seen in front of it.
        let tap = ByteTap { [weak self] in self?.bytesArrived() }
        try? context.pipeline.syncOperations.addHandler(tap, position: .first)
        scheduleTimer(context, in: limits.idleTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    private func bytesArrived() {
        lastActivity = .now()
        if requestBegan == nil { requestBegan = lastActivity }
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !state.isClosing else { return }
        let part = unwrapInboundIn(data)
        switch part {
        case .head(let head):
            state.requestBegan()
            if state.mayContinue, head.headerFields[.expect]?.lowercased() == "100-continue" {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
            }
        case .body: break
        case .end:
            state.requestEnded()
            requestBegan = nil
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else { return context.fireErrorCaught(error) }
        refuse(context, with: APIError(error))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent, state.isClosing { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where head.status.kind != .informational:
            guard !state.isRefused else { return drop(promise) }
            let answer = state.answerBegins(
                asksToClose: head.headerFields[.connection] == "close", isDraining: drain.isDraining)
            guard answer == .last else { return context.write(data, promise: promise) }
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            guard !state.isRefused else { return drop(promise) }
            context.write(data, promise: promise)
            lastActivity = .now()
            answerEnded(context)
        case .head, .body:
            guard !state.isRefused else { return drop(promise) }
            context.write(data, promise: promise)
        }
    }

    private func drop(_ promise: EventLoopPromise<Void>?) { promise?.fail(ChannelError.ioOnClosedChannel) }

    private func answerEnded(_ context: ChannelHandlerContext) {
        switch state.answerEnded() {
        case .keepOpen: break
        case .close:
            context.flush()
            linger(context)
        case .refuse(let error): write(error, context)
        }
    }

    /// Answers what cannot be passed on, after the answers that are still owed.
    private func refuse(_ context: ChannelHandlerContext, with error: APIError) {
        switch state.refuse(with: error) {
        case .now: write(error, context)
        case .later: break
        case .tooLate: context.close(promise: nil)
        }
    }

    private func write(_ error: APIError, _ context: ChannelHandlerContext) {
        let requestID = requestIDs.next()
        let body = ByteBuffer(string: error.body(requestID: requestID).text)
        var head = HTTPResponse(status: error.status, headerFields: error.headers)
        head.headerFields[.connection] = "close"
        head.headerFields[.contentType] = "application/json"
        head.headerFields[.contentLength] = String(body.readableBytes)
        head.headerFields[.xRequestID] = requestID
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        linger(context)
    }

    private func linger(_ context: ChannelHandlerContext) {
        context.close(mode: .output, promise: nil)
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: limits.lingerTimeout) {
            context.close(promise: nil)
        }
    }

    // MARK: Time

    private func scheduleTimer(_ context: ChannelHandlerContext, in delay: TimeAmount) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.checkTime(context) }
    }

    private func checkTime(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        guard !state.isClosing else { return }
        // While the application works on an answer the time is its own affair.
        guard requestBegan != nil || !state.owesAnswers else { return scheduleTimer(context, in: limits.idleTimeout) }
        let idleEnd = lastActivity + limits.idleTimeout
        let requestEnd = requestBegan.map { $0 + limits.requestTimeout } ?? .distantFuture
        let deadline = min(idleEnd, requestEnd)
        guard now >= deadline else { return scheduleTimer(context, in: deadline - now) }
        if requestBegan == nil { return context.close(promise: nil) }
        refuse(context, with: .requestTimeout)
        // Whatever waits for the rest of the request is told that it will not come.
        context.fireErrorCaught(HTTPParserError.unknown)
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}

/// Says that bytes have come, whatever they are.
private final class ByteTap: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let bytesArrived: () -> Void

    init(bytesArrived: @escaping () -> Void) { self.bytesArrived = bytesArrived }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytesArrived()
        context.fireChannelRead(data)
    }
}

extension APIError {
    fileprivate init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow: self = .headersTooLarge
        default: self = .badRequest("The request is not valid HTTP/1.1.")
        }
    }
}
