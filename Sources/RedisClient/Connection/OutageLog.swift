import Logging
import NIOCore
import Synchronization

/// What the log is told of Redis' coming and going: one line each way for all connections together, however often each
/// of them tries. Further reasons of one outage, such as LOADING on the way back, are told to those who debug.
final class OutageLog: Sendable {
    /// A server may give one reason after another on its way back, such as LOADING.
    private static let maximumReasons = 8

    /// Between two lines on a Redis that is late.
    private static let quietTime: TimeAmount = .minutes(1)

    private struct State {
        var ready: Set<ObjectIdentifier> = []
        var toldReasons: Set<String> = []
        var outageSince: NIODeadline?
        var toldAddress: String?
        var quietUntil: NIODeadline?
    }

    private let connectionCount: Int
    private let endpoint: String
    private let logger: Logger
    private let state = Mutex(State())

    init(connectionCount: Int, endpoint: String, logger: Logger) {
        self.connectionCount = connectionCount
        self.endpoint = endpoint
        self.logger = logger
    }

    func stands(_ connection: RedisConnection) {
        let (isWhole, since) = state.withLock { state -> (Bool, NIODeadline?) in
            guard state.ready.insert(ObjectIdentifier(connection)).inserted, state.ready.count == connectionCount
            else { return (false, nil) }
            state.toldReasons = []
            return (true, state.outageSince.take())
        }
        guard isWhole else { return }
        var metadata: Logger.Metadata = ["redis": "\(endpoint)"]
        if let since { metadata["afterSeconds"] = "\((NIODeadline.now() - since).nanoseconds / 1_000_000_000)" }
        logger.notice("redis connected", metadata: metadata)
    }

    func failed(_ connection: RedisConnection, reason: String) {
        let (isNews, begins) = state.withLock { state -> (Bool, Bool) in
            state.ready.remove(ObjectIdentifier(connection))
            guard state.toldReasons.count < Self.maximumReasons, state.toldReasons.insert(reason).inserted else {
                return (false, false)
            }
            let begins = state.outageSince == nil
            if begins { state.outageSince = .now() }
            return (true, begins)
        }
        guard isNews else { return }
        var metadata: Logger.Metadata = ["redis": "\(endpoint)", "reason": "\(reason)"]
        guard begins else { return logger.debug("redis is still unavailable", metadata: metadata) }
        metadata["remedy"] = "tollgate doctor says what to do"
        logger.warning("redis unavailable", metadata: metadata)
    }

    /// Redis is late. Mostly that is over before an operator reads of it, and comes again: told once in a while.
    func stalled() {
        let now = NIODeadline.now()
        let isNews = state.withLock { state in
            guard state.quietUntil.map({ now >= $0 }) ?? true else { return false }
            state.quietUntil = now + Self.quietTime
            return true
        }
        guard isNews else { return }
        logger.warning(
            "redis does not answer in time: calls are refused until it does", metadata: ["redis": "\(endpoint)"])
    }

    /// Tells of what changes nothing for callers.
    func moved(from old: String, to new: String) {
        let isNews = state.withLock { state in
            defer { state.toldAddress = new }
            return state.toldAddress != new
        }
        guard isNews else { return }
        logger.notice("redis has moved", metadata: ["redis": "\(endpoint)", "from": "\(old)", "to": "\(new)"])
    }
}
