import HTTPTypes
import HTTPWire
package import NIOCore
package import NIOHTTPTypes
import Synchronization
package import TollgateCore

/// Writes the `Date` of answers that Hummingbird makes, on their way down. It takes the time from the machine's clock,
/// and all answers of all workers go by one clock.
///
/// Confined to its event loop.
package final class AnswerDate: ChannelOutboundHandler, RemovableChannelHandler {
    package typealias OutboundIn = HTTPResponsePart
    package typealias OutboundOut = HTTPResponsePart

    private let clock: AnswerClock

    package init(clock: AnswerClock) { self.clock = clock }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data), head.status.kind != .informational else {
            return context.write(data, promise: promise)
        }
        head.headerFields[.date] = clock.date()
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}

@available(*, unavailable)
extension AnswerDate: Sendable {}

/// The `Date` field of answers, written once a second for all connections.
package final class AnswerClock: Sendable {
    private let time: any TimeSource
    private let date = Mutex(HTTPDate())

    package init(time: any TimeSource) { self.time = time }

    func writeDate(to buffer: inout ByteBuffer, at now: UnixTime? = nil) {
        buffer.writeField("Date", date(at: now))
    }

    /// What the field says of a moment, or of this one.
    package func date(at now: UnixTime? = nil) -> String {
        let now = now ?? time.now()
        return date.withLock { $0.text(at: now) }
    }
}
