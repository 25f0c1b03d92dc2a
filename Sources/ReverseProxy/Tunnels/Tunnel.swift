package import NIOCore

/// Bytes both ways between a client and an upstream that have changed their protocol (RFC 9110, section 7.8). What is
/// to be done is decided by ``TunnelState``.
///
/// Confined to its event loop.
package final class Tunnel {
    private var state: TunnelState
    private var client: ChannelHandlerContext?
    private var upstream: ChannelHandlerContext?
    private var whenClosed: (() -> Void)?

    init(idleTimeout: TimeAmount, whenClosed: @escaping () -> Void) {
        state = TunnelState(idleTimeout: idleTimeout, at: .now())
        self.whenClosed = whenClosed
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
        try pipeline.syncOperations.addHandler(end(.client), position: position)
        stands(.client)
        if early.readableBytes > 0 { take(early, from: .client) }
        if hasInputEnded { inputEnded(at: .client) }
    }

    /// Closes both connections; what is on its way is lost.
    package func close() { perform(state.close(), of: .upstream) }

    /// The handler for the channel of `side`.
    func end(_ side: TunnelState.Side) -> TunnelEnd { TunnelEnd(side, of: self) }

    /// The upstream's end stands in its pipeline.
    func begin(on eventLoop: any EventLoop) {
        stands(.upstream)
        if let check = state.nextCheck(at: .now()) { scheduleCheck(eventLoop, at: check) }
    }

    private func stands(_ side: TunnelState.Side) {
        for bytes in state.stands(side, isWritable: context(of: side)?.channel.isWritable ?? false) {
            write(bytes, at: side)
        }
        perform(state.opened(side), of: side)
    }

    private func scheduleCheck(_ eventLoop: any EventLoop, at moment: NIODeadline) {
        eventLoop.assumeIsolated().scheduleTask(deadline: moment) { [weak self] in
            guard let self, !state.isOver else { return }
            if let next = state.nextCheck(at: .now()) { scheduleCheck(eventLoop, at: next) } else { close() }
        }
    }

    // MARK: What the ends tell

    /// Passes on what came from `side` before its end stood.
    func take(_ bytes: ByteBuffer, from side: TunnelState.Side) {
        received(bytes, from: side)
        context(of: side.other)?.flush()
    }

    fileprivate func received(_ bytes: ByteBuffer, from side: TunnelState.Side) {
        if state.received(bytes, from: side, at: .now()) { write(bytes, at: side.other) }
    }

    fileprivate func readCompleted(at side: TunnelState.Side) { perform(state.readCompleted(at: side), of: side) }

    fileprivate func writabilityChanged(at side: TunnelState.Side, isWritable: Bool) {
        perform(state.writabilityChanged(at: side, isWritable: isWritable), of: side)
    }

    fileprivate func inputEnded(at side: TunnelState.Side) {
        perform(state.inputEnded(at: side), of: side)
    }

    fileprivate func closed(_ side: TunnelState.Side) { perform(state.closed(side), of: side) }

    fileprivate func set(_ context: ChannelHandlerContext?, of side: TunnelState.Side) {
        if side == .client { client = context } else { upstream = context }
    }

    private func context(of side: TunnelState.Side) -> ChannelHandlerContext? { side == .client ? client : upstream }

    // MARK: What is done

    private func write(_ bytes: ByteBuffer, at side: TunnelState.Side) {
        context(of: side)?.write(NIOAny(bytes), promise: nil)
    }

    /// Performs what follows from an event of `side`: at the other end first, to which what came there is on its way.
    private func perform(_ actions: TunnelState.Actions, of side: TunnelState.Side) {
        perform(actions[side.other], at: side.other)
        perform(actions[side], at: side)
        if actions.isOver { whenClosed.take()?() }
    }

    private func perform(_ actions: TunnelState.EndActions, at side: TunnelState.Side) {
        guard !actions.isEmpty, let context = context(of: side) else { return }
        if actions.contains(.flush) { context.flush() }
        if actions.contains(.closeOutput) { context.close(mode: .output, promise: whenOutputEnds(context, at: side)) }
        if actions.contains(.flushToEnd) {
            context.writeAndFlush(NIOAny(ByteBuffer()), promise: whenOutputEnds(context, at: side))
        }
        if actions.contains(.close) { context.close(promise: nil) }
        if actions.contains(.read) { context.read() }
    }

    private func whenOutputEnds(
        _ context: ChannelHandlerContext, at side: TunnelState.Side
    ) -> EventLoopPromise<Void> {
        let ended = context.eventLoop.makePromise(of: Void.self)
        ended.futureResult.assumeIsolated().whenComplete { _ in
            self.perform(self.state.outputEnded(at: side), of: side)
        }
        return ended
    }
}

@available(*, unavailable)
extension Tunnel: Sendable {}

/// One end of a tunnel: tells it what happens in one channel.
///
/// Confined to its event loop.
final class TunnelEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData

    private let side: TunnelState.Side
    private let tunnel: Tunnel

    fileprivate init(_ side: TunnelState.Side, of tunnel: Tunnel) {
        self.side = side
        self.tunnel = tunnel
    }

    func handlerAdded(context: ChannelHandlerContext) { tunnel.set(context, of: side) }
    func handlerRemoved(context: ChannelHandlerContext) { tunnel.set(nil, of: side) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        tunnel.received(unwrapInboundIn(data), from: side)
    }

    func channelReadComplete(context: ChannelHandlerContext) { tunnel.readCompleted(at: side) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        tunnel.writabilityChanged(at: side, isWritable: context.channel.isWritable)
    }

    /// Handlers behind have nothing to read any more.
    func read(context: ChannelHandlerContext) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { tunnel.inputEnded(at: side) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        tunnel.closed(side)
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension TunnelEnd: Sendable {}
