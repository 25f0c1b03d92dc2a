import HTTPWire
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

    /// What a key came in: a field and its whole value. The same value in another field may be no key.
    struct Presentation: Sendable, Hashable {
        let field: FieldKind
        let value: String
    }

    private let principals = Mutex(GenerationCache<Presentation, Principal>(capacity: capacity))

    func principal(for credential: Presentation) -> Principal? {
        guard credential.value.utf8.count <= Self.maximumLength else { return nil }
        return principals.withLock { $0.value(for: credential) }
    }

    func remember(_ principal: Principal, for credential: Presentation) {
        guard credential.value.utf8.count <= Self.maximumLength else { return }
        principals.withLock { $0.insert(principal, for: credential) }
    }
}
