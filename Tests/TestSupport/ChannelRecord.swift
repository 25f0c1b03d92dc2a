package import NIOCore
package import NIOEmbedded

/// Stands where a socket would be, in front of the handlers of an embedded channel, and notes what they have it do. It
/// keeps what an embedded channel cannot do: a half of the connection that is closed.
package final class ChannelRecord: ChannelOutboundHandler {
    package typealias OutboundIn = ByteBuffer

    private var noted: [String] = []
    private var waiting: [EventLoopPromise<Void>] = []

    /// Whether what is written leaves at the next flush.
    package var drains = true

    package init() {}

    /// What has been done since this was last asked, such as `write abc, flush, close output, close`.
    package func taken() -> String {
        defer { noted = [] }
        return noted.joined(separator: ", ")
    }

    /// What was written leaves, and with it what was to leave behind it.
    package func drain() {
        let promises = waiting
        waiting = []
        for promise in promises { promise.succeed() }
    }

    package func read(context: ChannelHandlerContext) { noted.append("read") }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        noted.append("write " + String(buffer: unwrapOutboundIn(data)))
        if let promise { waiting.append(promise) }
    }

    package func flush(context: ChannelHandlerContext) {
        noted.append("flush")
        if drains { drain() }
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            noted.append("close")
            return context.close(mode: mode, promise: promise)
        }
        noted.append("close output")
        if let promise { waiting.append(promise) }
        if drains { drain() }
    }
}

extension EmbeddedChannel {
    /// An open channel with `handlers` behind a record of what they do.
    package static func recorded(
        _ handlers: any ChannelHandler..., loop: EmbeddedEventLoop = EmbeddedEventLoop()
    ) throws -> (channel: EmbeddedChannel, record: ChannelRecord) {
        let record = ChannelRecord()
        let channel = EmbeddedChannel(handler: nil, loop: loop)
        try channel.pipeline.syncOperations.addHandler(record)
        try channel.pipeline.syncOperations.addHandlers(handlers)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        _ = record.taken()
        return (channel, record)
    }

    /// `text` has come from the peer.
    package func receive(_ text: String) {
        pipeline.fireChannelRead(ByteBuffer(string: text))
        pipeline.fireChannelReadComplete()
    }

    /// The peer sends nothing more.
    package func receiveEnd() { pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }

    package func setWritable(_ isWritable: Bool) {
        self.isWritable = isWritable
        pipeline.fireChannelWritabilityChanged()
    }
}
