import Libcrypto
import Synchronization
import TollgateCore

/// Who the tokens were that have been verified, so that a signature is paid for once per token and not per request.
///
/// A token is known by its SHA-256: reading this memory gives nobody a token to use.
package final class TokenMemory: Sendable {
    /// About 8 MB when full. A user has a new token each minute.
    package static let defaultCapacity = 32_768

    /// What verification found.
    package struct Entry: Sendable, Hashable {
        package let principal: Principal
        package let lifetime: TokenLifetime

        package init(principal: Principal, lifetime: TokenLifetime) {
            self.principal = principal
            self.lifetime = lifetime
        }
    }

    private struct State {
        var entries: GenerationCache<SHA256Digest, Entry>
        var epoch = 0
    }

    private let state: Mutex<State>

    package init(capacity: Int = TokenMemory.defaultCapacity) {
        state = Mutex(State(entries: GenerationCache(capacity: capacity)))
    }

    package var count: Int { state.withLock { $0.entries.count } }

    package func entry(for token: SHA256Digest) -> Entry? {
        state.withLock { $0.entries.value(for: token) }
    }

    /// Remembers a token that was verified by a key of `epoch`, unless that key has been lost meanwhile.
    package func remember(_ entry: Entry, for token: SHA256Digest, epoch: Int) {
        state.withLock { state in
            guard epoch == state.epoch else { return }
            state.entries.insert(entry, for: token)
        }
    }

    /// Forgets all tokens: a key that has verified some is lost, and a new epoch begins.
    package func forgetAll(epoch: Int) {
        state.withLock { state in
            state.epoch = epoch
            state.entries.removeAll()
        }
    }
}
