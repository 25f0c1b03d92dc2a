import Synchronization
import TollgateCore

/// What a worker lets through by itself while Redis cannot be asked, on routes that are to stay open then: only callers
/// who are known, and each only as often in a minute as the fallback plan allows. So an outage makes every worker a
/// small gateway of its own, and none of them an open door.
///
/// Who is known: the holder of a session token by its signature; the holder of a key only if this worker has seen
/// Redis admit that very key.
final class OutageLimiter: Sendable {
    /// Callers and keys that a worker remembers.
    static let capacity = 32_768

    private struct State {
        var counts = MinuteLimiter<UserID>(capacity: capacity)
        var knownKeys = GenerationCache<KeyHash, Bool>(capacity: capacity)
    }

    private let ratePerMinute: Int
    private let state = Mutex(State())

    init(ratePerMinute: Int) { self.ratePerMinute = ratePerMinute }

    /// Redis has admitted a caller with this credential.
    func admitted(_ credential: Credential) {
        guard case .secretKey(_, _, let hash) = credential else { return }
        state.withLock { state in
            if state.knownKeys.value(for: hash) == nil { state.knownKeys.insert(true, for: hash) }
        }
    }

    /// Redis has refused a key.
    func refused(_ credential: Credential) {
        guard case .secretKey(_, _, let hash) = credential else { return }
        state.withLock { state in
            if state.knownKeys.value(for: hash) != nil { state.knownKeys.insert(false, for: hash) }
        }
    }

    func isKnown(_ credential: Credential) -> Bool {
        switch credential {
        case .token: true
        case .platformKey: false
        case .secretKey(_, _, let hash): state.withLock { $0.knownKeys.value(for: hash) ?? false }
        }
    }

    /// Whether `principal` may pass now; counted.
    func admits(_ principal: Principal, at time: UnixTime) -> Bool {
        guard isKnown(principal.credential) else { return false }
        return state.withLock { $0.counts.admits(principal.userID, limit: ratePerMinute, at: time) }
    }
}
