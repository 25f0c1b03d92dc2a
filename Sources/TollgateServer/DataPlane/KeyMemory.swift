import Synchronization
import TollgateCore

/// Whom the secret keys name that Redis has admitted lately, so that reading and hashing a key is paid for once per key
/// and not per request. It says nothing about whether a key is good: that is asked in every admission.
final class KeyMemory: Sendable {
    /// Keys that a worker remembers, about 500 bytes each.
    static let capacity = 32_768

    /// Bytes of what a key came in; one that came in more, such as with blanks before it, is read anew each time.
    static let maximumLength = 1024

    private let principals = Mutex(GenerationCache<PresentedText, Principal>(capacity: capacity))

    /// - Parameter credential: The whole value of the field that the key came in.
    func principal(for credential: String) -> Principal? {
        principals.withLock { $0.value(for: PresentedText(text: credential)) }
    }

    func remember(_ principal: Principal, for credential: String) {
        guard credential.utf8.count <= Self.maximumLength else { return }
        principals.withLock { $0.insert(principal, for: PresentedText(text: credential)) }
    }
}

/// What a key came in. Only keys of our making are held, whose last characters are as good as chance, so a few of them
/// are enough to find one among others.
private struct PresentedText: Hashable {
    let text: String

    func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        for byte in text.utf8.suffix(16) { word = word << 4 ^ UInt64(byte) }
        hasher.combine(word)
    }
}
