package import Logging
package import TollgateCore

/// What all data-plane requests of a worker share.
package final class DataPlane: Sendable {
    package let admission: AdmissionState
    package let reservations: ReservationKeeper
    package let time: any TimeSource
    package let cors: CORSPolicy
    package let metrics: GatewayMetrics
    package let proxyMetrics: ProxyMetrics
    package let requestIDs: RequestIDGenerator
    package let answers: AnswerWriter
    package let routing: RoutingState
    package let trustedProxies: NetworkList

    /// Whether a path is one of the control plane's.
    package let isControlPath: @Sendable (String) -> Bool
    package let logger: Logger

    /// Nil when no line is written for a request.
    package let accessLog: AccessLog?

    package init(
        admission: AdmissionState, reservations: ReservationKeeper, time: any TimeSource, cors: CORSPolicy,
        metrics: GatewayMetrics, proxyMetrics: ProxyMetrics, requestIDs: RequestIDGenerator, answers: AnswerWriter,
        routing: RoutingState, trustedProxies: NetworkList,
        isControlPath: @escaping @Sendable (String) -> Bool, accessLog: AccessLog? = nil, logger: Logger
    ) {
        self.accessLog = accessLog
        self.admission = admission
        self.reservations = reservations
        self.time = time
        self.cors = cors
        self.metrics = metrics
        self.proxyMetrics = proxyMetrics
        self.requestIDs = requestIDs
        self.answers = answers
        self.routing = routing
        self.trustedProxies = trustedProxies
        self.isControlPath = isControlPath
        self.logger = logger
    }
}
