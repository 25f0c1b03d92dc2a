import Hummingbird
import HummingbirdCore
import NIOCore

/// How the public port speaks HTTP/1.1: the decoder's limits, then ``ConnectionGuard``, then the application.
enum PublicChannel {
    static func builder(
        limits: ConnectionLimits, headerLimitBytes: Int, drain: DrainState, requestIDs: RequestIDGenerator
    ) -> HTTPServerBuilder {
        .http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [
                    ConnectionGuard(limits: limits, drain: drain, requestIDs: requestIDs)
                ],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: headerLimitBytes, maxHeaderListSize: headerLimitBytes,
                    maxHeaderFieldCount: maximumHeaderFields)))
    }

    private static let maximumHeaderFields = 100
}
