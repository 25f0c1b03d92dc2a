import Libcrypto
import Synchronization
package import TollgateCore

/// The principals of tokens that were verified, so that a signature is verified once per token and not per request.
///
/// A token is known by its SHA-256: no token that could be presented can be read from this memory.
package final class TokenMemory: Sendable {
    /// About 30 MB when full. A user has a new token each minute.
    package static let defaultCapacity = 131_072

    /// What verification found.
    package struct Entry: Sendable, Equatable {
        /// Whose token it is.
        package let principal: Principal

        /// When it may be used.
        package let lifetime: TokenLifetime

        /// What verification found.
        package init(principal: Principal, lifetime: TokenLifetime) {
            self.principal = principal
            self.lifetime = lifetime
        }
    }

    private struct State {
        var entries: RecencyCache<SHA256Digest, Entry>
        var epoch = 0
    }

    private let state: Mutex<State>

    /// Remembers at most `capacity` tokens.
    package init(capacity: Int = TokenMemory.defaultCapacity) {
        state = Mutex(State(entries: RecencyCache(capacity: capacity)))
    }

    /// How many tokens are remembered.
    package var count: Int { state.withLock { $0.entries.count } }

    /// What verification found of `token`, if it is remembered.
    package func entry(for token: String) -> Entry? {
        let digest = SHA256.digest(token)
        return state.withLock { $0.entries.value(for: digest) }
    }

    /// Remembers a token that was verified by a key of `epoch`, unless that key has been lost meanwhile.
    package func remember(_ entry: Entry, for token: String, epoch: Int) {
        let digest = SHA256.digest(token)
        state.withLock { state in
            guard epoch == state.epoch else { return }
            state.entries.insert(entry, for: digest)
        }
    }

    /// Forgets all tokens: a key that has verified some is lost, and a new epoch begins.
    package func forgetAll(epoch: Int) {
        // All are freed when the lock is no longer held.
        _ = state.withLock { state -> RecencyCache<SHA256Digest, Entry>? in
            guard epoch > state.epoch else { return nil }
            state.epoch = epoch
            let forgotten = state.entries
            state.entries.removeAll()
            return forgotten
        }
    }
}
