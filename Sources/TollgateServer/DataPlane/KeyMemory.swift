import Synchronization
import TollgateCore

/// Whom the secret keys name that Redis has admitted lately, so that reading and hashing a key is paid for once per key
/// and not per request. It says nothing about whether a key is good: that is asked in every admission.
///
/// A text of which the caller chooses a part is found by its whole hash, with the process' seed: hashing less would let a
/// caller put all of theirs into one place of the table.
final class KeyMemory: Sendable {
    /// Keys that a worker remembers, about 500 bytes each.
    static let capacity = 32_768

    /// Bytes of what a key came in; one that came in more, such as with blanks before it, is read anew each time.
    static let maximumLength = 1024

    private let principals = Mutex(GenerationCache<String, Principal>(capacity: capacity))

    /// - Parameter credential: The whole value of the field that the key came in.
    func principal(for credential: String) -> Principal? {
        guard credential.utf8.count <= Self.maximumLength else { return nil }
        return principals.withLock { $0.value(for: credential) }
    }

    func remember(_ principal: Principal, for credential: String) {
        guard credential.utf8.count <= Self.maximumLength else { return }
        principals.withLock { $0.insert(principal, for: credential) }
    }
}
