import Logging
import TollgateCore

/// What all data-plane requests of a worker share.
final class DataPlane: Sendable {
    let gatekeeper: Gatekeeper
    let reservations: ReservationKeeper
    let time: any TimeSource
    let cors: CORSPolicy
    let metrics: GatewayMetrics
    let proxyMetrics: ProxyMetrics
    let requestIDs: RequestIDGenerator
    let answers: AnswerWriter
    let routing: RoutingState
    let guesses = GuessLimiter()
    let keyMemory = KeyMemory()
    let outage: OutageLimiter
    let trustedProxies: NetworkList

    /// Whether a path is one of the control plane's.
    let isControlPath: @Sendable (String) -> Bool
    let logger: Logger

    init(
        gatekeeper: Gatekeeper, reservations: ReservationKeeper, time: any TimeSource, cors: CORSPolicy,
        metrics: GatewayMetrics,
        proxyMetrics: ProxyMetrics, requestIDs: RequestIDGenerator, answers: AnswerWriter,
        routing: RoutingState, outage: OutageLimiter, trustedProxies: NetworkList,
        isControlPath: @escaping @Sendable (String) -> Bool, logger: Logger
    ) {
        self.gatekeeper = gatekeeper
        self.reservations = reservations
        self.time = time
        self.cors = cors
        self.metrics = metrics
        self.proxyMetrics = proxyMetrics
        self.requestIDs = requestIDs
        self.answers = answers
        self.routing = routing
        self.outage = outage
        self.trustedProxies = trustedProxies
        self.isControlPath = isControlPath
        self.logger = logger
    }
}
