import HTTPTypes
import Logging
import NIOCore
import NIOExtras
import NIOHTTPTypes
import TollgateCore

/// Answers metered requests where they arrive: on the connection's event loop, in one round trip to Redis, without a
/// task or a change of threads. Everything else goes up the pipeline to the control plane.
///
/// It takes a request only when nothing about it needs waiting but Redis: a token seen before, and no body. The first
/// request of a token goes up, where verification may have to fetch a key.
///
/// Confined to its event loop.
final class DataPlaneHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Parts that may wait behind an answer before the socket is no longer read.
    private static let maximumHeldParts = 16

    private let service: DataPlaneService
    private var order = AnswerOrder()
    private var held = CircularBuffer<HTTPRequestPart>()
    private var taken: (head: HTTPRequest, endpoint: MeteredEndpoint)?
    private var isReadHeld = false
    private var isQuiesceHeld = false
    private var isActive = true
    private var date = HTTPDate()

    init(service: DataPlaneService) { self.service = service }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if order.mustHold { return held.append(part) }
        route(part, context)
    }

    private func route(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            if order.mayAnswerHere, let endpoint = MeteredEndpoint(head) {
                taken = (head, endpoint)
            } else {
                order.passedUp()
                context.fireChannelRead(wrapInboundOut(part))
            }
        case .body: context.fireChannelRead(wrapInboundOut(part))
        case .end:
            guard let (head, endpoint) = taken.take() else { return context.fireChannelRead(wrapInboundOut(part)) }
            answer(head, endpoint, context)
        }
    }

    private func answer(_ head: HTTPRequest, _ endpoint: MeteredEndpoint, _ context: ChannelHandlerContext) {
        let start = NIODeadline.now()
        let closes = head.headerFields[.connection]?.lowercased() == "close"
        let origin = head.headerFields[.origin]
        order.beginAnswer()
        let isTaken = service.admit(head, to: endpoint, on: context.eventLoop) { answer in
            self.write(answer, of: endpoint, closes: closes, origin: origin, start: start, context)
        }
        guard !isTaken else { return }
        order.endAnswer()
        order.passedUp()
        context.fireChannelRead(wrapInboundOut(.head(head)))
        context.fireChannelRead(wrapInboundOut(.end(nil)))
    }

    private func write(
        _ answer: Answer, of endpoint: MeteredEndpoint, closes: Bool, origin: String?, start: NIODeadline,
        _ context: ChannelHandlerContext
    ) {
        order.endAnswer()
        // The client may have gone while Redis was asked.
        guard isActive else { return }
        var head = HTTPResponse(status: answer.status, headerFields: answer.headers)
        service.finish(&head.headerFields, of: endpoint, origin: origin)
        head.headerFields.append(HTTPField(name: .date, value: date.text(at: service.time.now())))
        if closes { head.headerFields[.connection] = "close" }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        service.metrics.request(
            status: answer.status.code, nanoseconds: (NIODeadline.now() - start).nanoseconds)
        release(context)
    }

    /// Lets go of what waited behind the answer.
    private func release(_ context: ChannelHandlerContext) {
        let hadHeld = !held.isEmpty
        while !order.mustHold, let part = held.popFirst() { route(part, context) }
        if hadHeld { context.fireChannelReadComplete() }
        guard !order.mustHold else { return }
        if isQuiesceHeld {
            isQuiesceHeld = false
            context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    func read(context: ChannelHandlerContext) {
        if held.count >= Self.maximumHeldParts { isReadHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Whoever is told above that the server shuts down sees no request in progress, and would close.
        if event is ChannelShouldQuiesceEvent, order.isAnswering {
            isQuiesceHeld = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isActive = false
        context.fireChannelInactive()
    }

    // MARK: Answers of the control plane

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { order.answeredAbove() }
        context.write(data, promise: promise)
    }
}

@available(*, unavailable)
extension DataPlaneHandler: Sendable {}
