import Hiredis
package import RedisClient
package import TollgateCore

/// Whose key an id is, for an operator who has nothing but the id: `keyid:{id}` names the user. It lies in a slot of its own,
/// so no script writes it with the key: one that a crash leaves out is found by the key's text alone.
package struct RedisKeyIndex: Sendable {
    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func owner(of id: KeyID) async throws(StoreUnavailable) -> UserID? {
        try await client.ask(RedisCommand("GET", .keyOwner(id))).string.flatMap { UserID($0) }
    }

    /// Remembers that a key ends, for who is to be told before.
    fileprivate func add(_ id: KeyID, of user: UserID, endingAt end: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(
            RedisCommand("ZADD", .keysExpiring, "\(end.seconds)", Self.endingMember(id, of: user)))
    }

    /// Forgets it, of a key that has ended otherwise.
    fileprivate func forgetEnd(of id: KeyID, of user: UserID) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("ZREM", .keysExpiring, Self.endingMember(id, of: user)))
    }

    /// What stands in `keys:expiring` of a key.
    static func endingMember(_ id: KeyID, of user: UserID) -> String { "\(user.value) \(id.value)" }

    /// - Parameter seconds: How long it is remembered. Nil for good.
    fileprivate func add(_ id: KeyID, of user: UserID, for seconds: Int64?) async throws(StoreUnavailable) {
        let end = seconds.map { ["EX", "\(max(1, $0))"] } ?? []
        _ = try await client.ask(RedisCommand("SET", .keyOwner(id), [user.value] + end))
    }
}

/// Keys with an index of their ids. What the index cannot be told keeps no key from being made or revoked.
package struct IndexedKeyStore: KeyStore {
    private let keys: RedisKeyStore
    private let index: RedisKeyIndex
    private let users: RedisUserIndex

    package init(client: RedisClient) {
        keys = RedisKeyStore(client: client)
        users = RedisUserIndex(client: client)
        index = RedisKeyIndex(client: client)
    }

    package func create(
        _ draft: KeyDraft, of user: UserID, at time: UnixTime
    ) async throws(StoreUnavailable) -> KeyCreation {
        let creation = try await keys.create(draft, of: user, at: time)
        if case .created(let issued) = creation {
            let end = draft.terms.expiresAt.map { $0.seconds - time.seconds + KeyLimits.refusalKeptSeconds }
            try? await index.add(issued.record.id, of: user, for: end)
            try? await users.addNew(user, at: time)
            if let end = draft.terms.expiresAt { try? await index.add(issued.record.id, of: user, endingAt: end) }
        }
        return creation
    }

    package func keys(of user: UserID) async throws(StoreUnavailable) -> [KeyRecord] { try await keys.keys(of: user) }

    package func revoke(
        _ id: KeyID, of user: UserID, at time: UnixTime
    ) async throws(StoreUnavailable) -> KeyRevocation {
        let revocation = try await keys.revoke(id, of: user, at: time)
        // As long as the user is told that it was revoked.
        if revocation == .revoked {
            try? await index.add(id, of: user, for: KeyLimits.refusalKeptSeconds)
            try? await index.forgetEnd(of: id, of: user)
        }
        return revocation
    }

    package func rotate(
        _ id: KeyID, of user: UserID, overlapSeconds: Int64, at time: UnixTime
    ) async throws(StoreUnavailable) -> KeyRotation {
        try await keys.rotate(id, of: user, overlapSeconds: overlapSeconds, at: time)
    }
}
