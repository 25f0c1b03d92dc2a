import HTTPTypes
import HTTPWire
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import TollgateCore

/// The way of one request up to the control plane and of its answer down: behind ``PublicConnection``, the HTTP
/// handlers of NIO and Hummingbird's own task, put there when the first request of a connection needs them.
///
/// The request goes up as bytes again, written anew: framing as it was understood, nothing of this hop.
///
/// Confined to its event loop.
final class ControlPlanePassage: RequestWorker {
    private let connection: PublicConnection
    private let context: ChannelHandlerContext
    private let isChunked: Bool

    var takesBody: Bool { true }
    var limitsArrival: Bool { true }
    var minimumBodyRate: Int { connection.limits.bodyRate }
    var awaitsBody: Bool { true }

    private init(_ head: RequestHead, connection: PublicConnection, context: ChannelHandlerContext) {
        self.connection = connection
        self.context = context
        isChunked = head.framing == .chunked
    }

    /// Sends the request up.
    ///
    /// - Parameter target: Path and query, checked.
    static func begin(
        _ head: RequestHead, target: String, host: String, client: Client, connection: PublicConnection,
        bridge: ControlPlaneBridge
    ) -> ControlPlanePassage? {
        guard let context = connection.context else { return nil }
        let passage = ControlPlanePassage(head, connection: connection, context: context)
        do {
            try bridge.attach(to: context.channel, for: connection)
        } catch {
            connection.abort()
            return nil
        }
        // Only the endpoint that reads the body knows whether it is wanted; these bodies are small, and most are.
        if head.expectsContinue {
            connection.write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
            connection.flush()
        }
        passage.sendHead(head, target: target, host: host, network: client.network(of: head.fields))
        return passage
    }

    private func sendHead(_ head: RequestHead, target: String, host: String, network: ClientNetwork) {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(head.byteCount + 64)
        buffer.writeString(head.method)
        buffer.writeInteger(UInt8(ascii: " "))
        buffer.writeString(target)
        buffer.writeStaticString(" HTTP/1.1\r\n")
        buffer.writeField("Host", host)
        // What only the gateway may say, it says here to itself.
        buffer.writeField(ClientNetwork.fieldName, network.address)
        for line in head.fields.lines where Self.passes(line.kind) { buffer.writeLine(line, of: head.fields) }
        if isChunked { buffer.writeField("Transfer-Encoding", "chunked") }
        buffer.writeLineEnd()
        up(buffer)
    }

    private static func passes(_ kind: FieldKind) -> Bool {
        switch kind {
        case .host, .expect, .identity, .misspelt: false
        default: !kind.isOfThisHop
        }
    }

    private func up(_ bytes: ByteBuffer) { context.fireChannelRead(NIOAny(bytes)) }

    func body(_ bytes: ByteBuffer) {
        guard isChunked else { return up(bytes) }
        var chunk = ByteBuffer()
        chunk.writeChunkSize(bytes.readableBytes)
        chunk.writeImmutableBuffer(bytes)
        chunk.writeLineEnd()
        up(chunk)
    }

    func flushBody() {}

    func bodyEnded(trailers: FieldSection) {
        if isChunked { up(ByteBuffer(staticString: "0\r\n\r\n")) }
        context.fireChannelReadComplete()
    }

    func clientWritabilityChanged(isWritable: Bool) {}

    /// An endpoint that still waits for the rest of a body is told that it does not come.
    func clientGone() { context.fireErrorCaught(HTTPParserError.unknown) }
}

/// Makes one connection's pipeline speak to the control plane, once.
final class ControlPlaneBridge: Sendable {
    typealias AsyncChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// Told of the channel when the control plane is needed, and failed when it never was.
    private let whenNeeded: EventLoopPromise<AsyncChannel>
    private let isAttached: NIOLoopBoundBox<Bool>
    private let clock: AnswerClock

    init(eventLoop: any EventLoop, clock: AnswerClock) {
        self.clock = clock
        whenNeeded = eventLoop.makePromise()
        isAttached = NIOLoopBoundBox(false, eventLoop: eventLoop)
    }

    /// The channel that the control plane reads requests from. Nil when the connection ends without a need for it.
    func channel() async -> AsyncChannel? { try? await whenNeeded.futureResult.get() }

    /// The connection is over. On its event loop.
    func connectionClosed() {
        if !isAttached.value { whenNeeded.fail(ChannelError.alreadyClosed) }
        isAttached.value = true
    }

    func attach(to channel: any Channel, for connection: PublicConnection) throws {
        guard !isAttached.value else { return }
        isAttached.value = true
        let pipeline = channel.pipeline.syncOperations
        do {
            var limits = NIOHTTPDecoderLimitConfiguration()
            // PublicConnection's limits hold; what goes up is a little longer than what came.
            limits.maxHeaderFieldSize = 2 << 20
            limits.maxHeaderListSize = 2 << 20
            limits.maxHeaderFieldCount = FieldSection.maximumFields + 8
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(ControlPlaneAnswers(connection: connection))
            try pipeline.addHandler(AnswerDate(clock: clock))
            whenNeeded.succeed(
                try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
        } catch {
            whenNeeded.fail(error)
            throw error
        }
    }
}

/// Watches the control plane's answers on their way down: says where each ends, and whether the connection does.
private final class ControlPlaneAnswers: ChannelOutboundHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let connection: PublicConnection

    init(connection: PublicConnection) { self.connection = connection }

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
