import Logging
import TollgateCore
import TollgateStore

/// What all data-plane requests of a worker share.
struct DataPlane: Sendable {
    let gatekeeper: Gatekeeper
    let store: RedisAdmissionStore
    let time: any TimeSource
    let cors: CORSPolicy
    let metrics: GatewayMetrics
    let proxyMetrics: ProxyMetrics
    let requestIDs: RequestIDGenerator
    let answers: AnswerWriter
    let routing: RoutingState
    let guesses: SharedGuessLimiter
    let outage: OutageLimiter
    let trustedProxies: NetworkList

    /// Whether a path is one of the control plane's.
    let isControlPath: @Sendable (String) -> Bool
    let logger: Logger
}
