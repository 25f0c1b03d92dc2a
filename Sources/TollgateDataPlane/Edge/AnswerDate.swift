import HTTPTypes
import NIOCore
import NIOHTTPTypes

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
