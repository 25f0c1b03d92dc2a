import Logging
import TollgateCore

/// What all data-plane requests of a worker share.
final class DataPlane: Sendable {
    let admission: AdmissionState
    let reservations: ReservationKeeper
    let time: any TimeSource
    let cors: CORSPolicy
    let metrics: GatewayMetrics
    let proxyMetrics: ProxyMetrics
    let requestIDs: RequestIDGenerator
    let answers: AnswerWriter
    let routing: RoutingState
    let trustedProxies: NetworkList

    /// Whether a path is one of the control plane's.
    let isControlPath: @Sendable (String) -> Bool
    let logger: Logger

    init(
        admission: AdmissionState, reservations: ReservationKeeper, time: any TimeSource, cors: CORSPolicy,
        metrics: GatewayMetrics, proxyMetrics: ProxyMetrics, requestIDs: RequestIDGenerator, answers: AnswerWriter,
        routing: RoutingState, trustedProxies: NetworkList,
        isControlPath: @escaping @Sendable (String) -> Bool, logger: Logger
    ) {
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
