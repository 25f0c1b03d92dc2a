import Logging
import TollgateCore
import TollgateStore

/// What all data-plane requests of a worker share.
final class DataPlane: Sendable {
    let gatekeeper: Gatekeeper
    let store: RedisAdmissionStore
    let reservations: ReservationKeeper
    let tickets: RedisTicketStore
    let time: any TimeSource
    let cors: CORSPolicy
    let metrics: GatewayMetrics
    let proxyMetrics: ProxyMetrics
    let requestIDs: RequestIDGenerator
    let answers: AnswerWriter
    let routing: RoutingState
    let guesses = SharedGuessLimiter()
    let keyMemory = KeyMemory()
    let outage: OutageLimiter
    let trustedProxies: NetworkList

    /// Whether a path is one of the control plane's.
    let isControlPath: @Sendable (String) -> Bool
    let logger: Logger

    init(
        gatekeeper: Gatekeeper, store: RedisAdmissionStore, reservations: ReservationKeeper,
        tickets: RedisTicketStore, time: any TimeSource, cors: CORSPolicy, metrics: GatewayMetrics,
        proxyMetrics: ProxyMetrics, requestIDs: RequestIDGenerator, answers: AnswerWriter,
        routing: RoutingState, outage: OutageLimiter, trustedProxies: NetworkList,
        isControlPath: @escaping @Sendable (String) -> Bool, logger: Logger
    ) {
        self.gatekeeper = gatekeeper
        self.store = store
        self.reservations = reservations
        self.tickets = tickets
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
