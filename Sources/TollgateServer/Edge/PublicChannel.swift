import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// How the public port speaks HTTP/1.1: the decoder's limits, then ``ConnectionGuard``, then the application, all on
/// the connection's own event loop.
struct PublicChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let http1: HTTP1Channel
    private let executors: [ObjectIdentifier: EventLoopTaskExecutor]

    static func builder(
        limits: ConnectionLimits, headerLimitBytes: Int, drain: DrainState, requestIDs: RequestIDGenerator,
        eventLoopGroup: any EventLoopGroup
    ) -> HTTPServerBuilder {
        let configuration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(limits: limits, drain: drain, requestIDs: requestIDs)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headerLimitBytes, maxHeaderListSize: headerLimitBytes,
                maxHeaderFieldCount: maximumHeaderFields))
        let executors = Dictionary(
            uniqueKeysWithValues: eventLoopGroup.makeIterator().map { eventLoop in
                (ObjectIdentifier(eventLoop), EventLoopTaskExecutor(eventLoop))
            })
        return HTTPServerBuilder { responder in
            PublicChannel(
                http1: HTTP1Channel(responder: responder, configuration: configuration), executors: executors)
        }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        http1.setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async {
        await withTaskExecutorPreference(executors[ObjectIdentifier(value.channel.eventLoop)]) {
            await http1.handle(value: value, logger: logger)
        }
    }

    private static let maximumHeaderFields = 100
}
