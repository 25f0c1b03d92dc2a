import Hiredis
import Libcrypto
package import RedisClient
import Synchronization
package import TollgateCore

/// Finds whose a platform key is. The key does not say, so the first time Redis is asked twice: for the platform, then
/// for its user, which lie in two slots.
///
/// The answer is remembered, and only as a hint: every admission compares the key with the one that the user has now.
/// So a key that was taken away is refused at once, whatever any worker remembers.
package final class PlatformKeyOwners: PlatformKeyDirectory {
    /// Owners that a worker remembers, about 200 bytes each.
    package static let standardCapacity = 131_072

    private let client: RedisClient
    private let hints: Mutex<RecencyCache<SHA256Digest, Principal>>

    package init(client: RedisClient, capacity: Int = standardCapacity) {
        self.client = client
        hints = Mutex(RecencyCache(capacity: capacity))
    }

    /// The key's owner, if remembered. Does not ask Redis.
    package func remembered(_ key: PlatformKey) -> Principal? {
        let digest = SHA256.digest(key.text)
        return hints.withLock { $0.value(for: digest) }
    }

    /// The key's owner. Nil when no user has such a key.
    package func principal(for key: PlatformKey) async throws(StoreUnavailable) -> Principal? {
        let digest = SHA256.digest(key.text)
        if let known = hints.withLock({ $0.value(for: digest) }) { return known }
        guard let platformID = try await client.ask(RedisCommand("GET", .apiKey(sha256: digest.hex))).string,
            let userID = try await client.ask(RedisCommand("GET", .platformUser(platformID))).string,
            let owner = UserID(userID)
        else { return nil }
        let principal = Principal(
            userID: owner,
            credential: .platformKey(fingerprint: SHA1.hexDigest(key.text), platformID: platformID))
        hints.withLock { $0.insert(principal, for: digest) }
        return principal
    }
}
