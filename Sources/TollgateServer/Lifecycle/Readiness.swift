import ClerkAuth
import RedisClient
import TollgateCore
import TollgateDataPlane

/// Whether this worker is to be sent requests: what a metered call needs is tried, just now.
struct Readiness: Sendable {
    let drain: DrainState
    let redis: RedisClient
    let authenticator: ClerkAuthenticator
    let health: AdmissionHealth
    let time: any TimeSource

    /// Why it is not.
    enum Obstacle: Sendable, Hashable {
        /// It is on its way out.
        case draining

        /// Redis is away, or answers and would take no call.
        case redis(reason: String)

        /// No key that verifies session tokens could be loaded yet.
        case noSigningKey
    }

    /// Nil when nothing stands in the way.
    func obstacle() async -> Obstacle? {
        if drain.isDraining { return .draining }
        let unfitness = await redis.unfitness()
        health.probed(unfitness)
        if let reason = unfitness ?? health.obstacle { return .redis(reason: reason) }
        guard time.isKnown else { return .redis(reason: "Redis has not told its time yet") }
        return authenticator.hasKey ? nil : .noSigningKey
    }
}
