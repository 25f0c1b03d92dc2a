import NIOCore

/// Bytes both ways between a client and an upstream that have changed their protocol (RFC 9110, section 7.8).
///
/// Confined to its event loop.
package final class Tunnel {
    fileprivate let clientEnd = TunnelEnd()
    let upstreamEnd = TunnelEnd()
    private let idleTimeout: TimeAmount
    private var whenClosed: (() -> Void)?
    private var isClosed = false

    init(idleTimeout: TimeAmount, whenClosed: @escaping () -> Void) {
        self.idleTimeout = idleTimeout
        self.whenClosed = whenClosed
        clientEnd.partner = upstreamEnd
        upstreamEnd.partner = clientEnd
        clientEnd.tunnel = self
        upstreamEnd.tunnel = self
    }

    /// Takes the bytes of the client's channel from here on. It stands in front of all that speaks HTTP, behind TLS if
    /// there is any. Handlers behind it see and send nothing more, but the channel's end.
    ///
    /// - Parameter early: What the client has sent already behind its request.
    /// - Throws: `ChannelPipelineError` when the pipeline is closed.
    package func attach(
        to pipeline: ChannelPipeline, early: ByteBuffer = ByteBuffer(),
        position: ChannelPipeline.SynchronousOperations.Position = .first
    ) throws {
        try pipeline.syncOperations.addHandler(clientEnd, position: position)
        clientEnd.becameReady()
        if early.readableBytes > 0 { clientEnd.take(early) }
    }

    /// Closes both connections; what is on its way is lost.
    package func close() {
        clientEnd.close()
        upstreamEnd.close()
        ended()
    }

    func begin(on eventLoop: any EventLoop) {
        upstreamEnd.becameReady()
        checkIdle(eventLoop, in: idleTimeout)
    }

    private func checkIdle(_ eventLoop: any EventLoop, in delay: TimeAmount) {
        eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
            guard let self, !isClosed else { return }
            let quiet = NIODeadline.now() - max(clientEnd.lastActivity, upstreamEnd.lastActivity)
            if quiet >= idleTimeout { close() } else { checkIdle(eventLoop, in: idleTimeout - quiet) }
        }
    }

    fileprivate func ended() {
        isClosed = true
        whenClosed.take()?()
    }
}

@available(*, unavailable)
extension Tunnel: Sendable {}

/// One end of a tunnel: what it reads the other end writes, and it reads only while the other end can write.
///
/// Confined to its event loop.
final class TunnelEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    fileprivate weak var partner: TunnelEnd?
    fileprivate var tunnel: Tunnel?
    fileprivate private(set) var lastActivity = NIODeadline.now()
    private var context: ChannelHandlerContext?
    /// Comes before this end stands.
    private var early: [ByteBuffer] = []
    private var isReady = false
    private var isReadOutstanding = false

    fileprivate func becameReady() {
        isReady = true
        for bytes in early { write(bytes) }
        early = []
        flush()
        partner?.flush()
        partner?.readMore()
        readMore()
    }

    /// Passes on what came before this end stood.
    func take(_ bytes: ByteBuffer) {
        lastActivity = .now()
        partner?.write(bytes)
        partner?.flush()
    }

    private func write(_ bytes: ByteBuffer) {
        guard isReady else { return early.append(bytes) }
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    private func flush() { if isReady { context?.flush() } }

    private var takesBytes: Bool { isReady && context?.channel.isWritable == true }

    private func readMore() {
        guard !isReadOutstanding, partner?.takesBytes == true, let context else { return }
        isReadOutstanding = true
        context.read()
    }

    fileprivate func close() { context?.close(promise: nil) }

    /// Closes when everything written before has left.
    private func closeAfterFlush() {
        guard let context else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.close() }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActivity = .now()
        partner?.write(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadOutstanding = false
        partner?.flush()
        readMore()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.readMore() }
    }

    /// Those behind have nothing to read any more.
    func read(context: ChannelHandlerContext) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // No protocol that is tunnelled here goes on after one side has stopped.
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        partner?.closeAfterFlush()
        tunnel.take()?.ended()
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension TunnelEnd: Sendable {}
