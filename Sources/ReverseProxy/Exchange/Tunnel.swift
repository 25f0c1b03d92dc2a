import NIOCore

/// Bytes both ways between a client and an upstream that have changed their protocol (RFC 9110, section 7.8). When one
/// side says that it sends nothing more, the other is told, and may go on sending.
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
    /// - Parameters:
    ///   - early: What the client has sent already behind its request.
    ///   - hasInputEnded: Whether it has said already that it sends nothing more.
    /// - Throws: `ChannelPipelineError` when the pipeline is closed.
    package func attach(
        to pipeline: ChannelPipeline, early: ByteBuffer = ByteBuffer(), hasInputEnded: Bool = false,
        position: ChannelPipeline.SynchronousOperations.Position = .first
    ) throws {
        try pipeline.syncOperations.addHandler(clientEnd, position: position)
        clientEnd.becameReady()
        if early.readableBytes > 0 { clientEnd.take(early) }
        if hasInputEnded { clientEnd.inputEnded() }
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

    /// The peer sends nothing more, or nothing that could be passed on.
    private var hasInputEnded = false
    private var output = Output.open

    private enum Output {
        case open
        /// Nothing more is written, but what was is still to leave.
        case ending
        case ended
    }

    fileprivate func becameReady() {
        isReady = true
        for bytes in early { write(bytes) }
        early = []
        flush()
        if partner?.hasInputEnded == true { endOutput() }
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

    /// Tells the peer that nothing more comes, behind everything written before.
    private func endOutput() {
        guard isReady, case .open = output, let context else { return }
        // Of a connection whose other half is closed, closing this one would not wait for what is still to leave.
        if hasInputEnded { return closeAfterFlush() }
        output = .ending
        let ended = context.eventLoop.makePromise(of: Void.self)
        ended.futureResult.assumeIsolated().whenComplete { _ in
            self.output = .ended
            if self.hasInputEnded { self.close() }
        }
        context.flush()
        context.close(mode: .output, promise: ended)
    }

    /// Closes when everything written before has left.
    private func closeAfterFlush() {
        hasInputEnded = true
        switch output {
        case .open: break
        case .ending: return
        case .ended: return close()
        }
        guard let context else { return }
        output = .ending
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
        if case .inputClosed? = event as? ChannelEvent { inputEnded() }
        context.fireUserInboundEventTriggered(event)
    }

    fileprivate func inputEnded() {
        hasInputEnded = true
        partner?.endOutput()
        if case .ended = output { close() }
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
