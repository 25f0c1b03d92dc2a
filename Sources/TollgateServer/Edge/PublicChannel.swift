import Hummingbird
import HummingbirdCore
import NIOCore

/// How the public port speaks HTTP/1.1: the decoder's limits, then ``ConnectionGuard``, then the data plane, and behind
/// them, for everything that is not answered on the spot, the control plane.
enum PublicChannel {
    static func builder(
        limits: ConnectionLimits, headerLimitBytes: Int, drain: DrainState, requestIDs: RequestIDGenerator,
        dataPlane: DataPlaneService
    ) -> HTTPServerBuilder {
        .http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [
                    ConnectionGuard(limits: limits, drain: drain, requestIDs: requestIDs),
                    DataPlaneHandler(service: dataPlane),
                ],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: headerLimitBytes, maxHeaderListSize: headerLimitBytes,
                    maxHeaderFieldCount: maximumHeaderFields)))
    }

    private static let maximumHeaderFields = 100
}
