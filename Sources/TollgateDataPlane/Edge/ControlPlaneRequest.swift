import HTTPTypes
import HTTPWire
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import TollgateCore

/// The way of one request up to the control plane and of its answer down: behind ``PublicConnection``, Hummingbird's own
/// task, put there when the first request of a connection needs it.
///
/// The request goes up as it was understood, in the parts that Hummingbird reads: nothing is parsed a second time, and
/// nothing of this hop is in it.
///
/// Confined to its event loop.
final class ControlPlaneRequest: RequestResponder {
    private let connection: PublicConnection
    private let entrance: ControlPlaneEntrance

    var takesBody: Bool { true }
    var limitsArrival: Bool { true }
    var minimumBodyRate: Int { connection.limits.bodyRate }
    var awaitsBody: Bool { true }

    private init(connection: PublicConnection, entrance: ControlPlaneEntrance) {
        self.connection = connection
        self.entrance = entrance
    }

    /// Sends the request up.
    ///
    /// - Parameter target: Path and query, checked.
    static func begin(
        _ head: RequestHead, target: String, host: String, peer: ConnectionPeer, connection: PublicConnection,
        bridge: ControlPlaneBridge
    ) -> ControlPlaneRequest? {
        guard let context = connection.context else { return nil }
        let entrance: ControlPlaneEntrance
        do {
            entrance = try bridge.attach(to: context.channel, for: connection)
        } catch {
            connection.abort()
            return nil
        }
        // Only the endpoint that reads the body knows whether it is wanted; these bodies are small, and most are.
        if head.expectsContinue {
            connection.write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
            connection.flush()
        }
        let network = peer.network(of: head.fields)
        if let request = request(head, target: target, host: host, network: network) {
            entrance.take(.head(request))
        } else {
            entrance.fail(HTTPParserError.invalidMethod)
        }
        return ControlPlaneRequest(connection: connection, entrance: entrance)
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

    func body(_ bytes: ByteBuffer) { if bytes.readableBytes > 0 { entrance.take(.body(bytes)) } }

    func flushBody() {}

    func bodyEnded(trailers: FieldSection) {
        entrance.take(.end(nil))
        entrance.takeNoMoreForNow()
    }

    func clientWritabilityChanged(isWritable: Bool) {}

    /// A handler that still waits for the rest of a body is told that it does not come.
    func clientGone() { entrance.fail(HTTPParserError.unknown) }
}

/// Makes one connection's pipeline speak to the control plane, once.
final class ControlPlaneBridge: Sendable {
    typealias AsyncChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// Told of the channel when the control plane is needed, and failed when it never was.
    private let whenNeeded: EventLoopPromise<AsyncChannel>
    private let state: NIOLoopBoundBox<State>
    private let clock: AnswerClock

    private enum State {
        case unneeded
        case attached(ControlPlaneEntrance)
        case closed
    }

    init(eventLoop: any EventLoop, clock: AnswerClock) {
        self.clock = clock
        whenNeeded = eventLoop.makePromise()
        state = NIOLoopBoundBox(.unneeded, eventLoop: eventLoop)
    }

    /// The channel that the control plane reads requests from. Nil when the connection ends without a need for it.
    func channel() async -> AsyncChannel? { try? await whenNeeded.futureResult.get() }

    /// The connection is over. On its event loop.
    func connectionClosed() {
        if case .unneeded = state.value { whenNeeded.fail(ChannelError.alreadyClosed) }
        state.value = .closed
    }

    /// Where requests go up.
    func attach(to channel: any Channel, for connection: PublicConnection) throws -> ControlPlaneEntrance {
        switch state.value {
        case .attached(let entrance): return entrance
        case .closed: throw ChannelError.alreadyClosed
        case .unneeded: break
        }
        let entrance = ControlPlaneEntrance(connection: connection)
        state.value = .attached(entrance)
        let pipeline = channel.pipeline.syncOperations
        do {
            try pipeline.addHandlers([
                HTTPResponseEncoder(), HTTP1ToHTTPServerCodec(secure: false), entrance, AnswerDate(clock: clock),
            ])
            whenNeeded.succeed(
                try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
            return entrance
        } catch {
            whenNeeded.fail(error)
            throw error
        }
    }
}

/// Where requests go up to the control plane, and its answers come down: says where each ends, and whether the connection
/// does. What encodes them stands between this and ``PublicConnection``.
///
/// Confined to its event loop.
final class ControlPlaneEntrance: ChannelOutboundHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let connection: PublicConnection
    private var context: ChannelHandlerContext?

    init(connection: PublicConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Up

    func take(_ part: HTTPRequestPart) { context?.fireChannelRead(NIOAny(part)) }

    /// Has what was taken read now: the parts of a read of the socket are read together.
    func takeNoMoreForNow() { context?.fireChannelReadComplete() }

    /// Ends what is read. It is answered with 400 when nothing was answered yet.
    func fail(_ error: HTTPParserError) { context?.fireErrorCaught(error) }

    // MARK: Down

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where head.status.kind != .informational:
            guard connection.mayAnswer else { return drop(promise) }
            head.headerFields[.connection] = connection.answerBegins(
                asksToClose: head.headerFields[.connection] == "close")
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            guard connection.mayAnswer else { return drop(promise) }
            context.write(data, promise: promise)
            connection.answerEnded()
        case .head, .body:
            guard connection.mayAnswer else { return drop(promise) }
            context.write(data, promise: promise)
        }
    }

    /// The connection closes as it sees fit, after the answer.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }

    /// The connection was answered on the control plane's behalf.
    private func drop(_ promise: EventLoopPromise<Void>?) { promise?.fail(ChannelError.ioOnClosedChannel) }
}

@available(*, unavailable)
extension ControlPlaneEntrance: Sendable {}
