import Hiredis
import Libcrypto
import RedisClient
import TollgateCore

/// Platform credentials in Redis.
///
/// The pair is kept under the user's own two keys, in one slot and by one script. The keys that lead back from a
/// platform or from a key's hash lie in other slots, where no script can write them together with the pair. So they
/// are written plainly after every call: what a crash left out comes with the next.
package struct RedisCredentialStore: CredentialStore {
    private static let script = RedisScript(resource: PackageResources.keep_credentials_lua)

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func credentials(
        for user: UserID, candidate: Credentials
    ) async throws(StoreUnavailable) -> Credentials {
        let reply = try await client.ask(
            RedisScript.Call(
                Self.script, keys: [Keys.platformID(of: user), Keys.apiKey(of: user)],
                arguments: [candidate.platformID, candidate.apiKey]))
        guard let credentials = try Self.credentials(in: reply) else {
            throw .unexpectedReply(of: "keep_credentials.lua")
        }
        try await index(credentials, of: user)
        return credentials
    }

    /// A pair of which one half was lost is none: there is nothing to make the other half from here.
    package func stored(for user: UserID) async throws(StoreUnavailable) -> Credentials? {
        try Self.credentials(
            in: try await client.ask(RedisCommand("MGET", Keys.platformID(of: user), Keys.apiKey(of: user))))
    }

    package func existing(for user: UserID) async throws(StoreUnavailable) -> Credentials? {
        guard let credentials = try await stored(for: user) else { return nil }
        try await index(credentials, of: user)
        return credentials
    }

    /// Reads platform and key. Nil when one of them is missing.
    private static func credentials(in reply: RedisReply) throws(StoreUnavailable) -> Credentials? {
        guard let elements = reply.array, elements.count == 2 else { throw .unexpectedReply(of: "Redis") }
        guard !elements.contains(.null) else { return nil }
        guard let platformID = elements[0].string, let apiKey = elements[1].string,
            let credentials = Credentials(platformID: platformID, apiKey: apiKey)
        else { throw StoreUnavailable(reason: "a user's stored credentials are damaged") }
        return credentials
    }

    private func index(_ credentials: Credentials, of user: UserID) async throws(StoreUnavailable) {
        let hash = SHA256.digest(credentials.apiKey).hex
        _ = try await client.ask(RedisCommand("SET", Keys.platformUser(credentials.platformID), user.value))
        _ = try await client.ask(RedisCommand("SET", Keys.apiKey(sha256: hash), credentials.platformID))
    }
}
