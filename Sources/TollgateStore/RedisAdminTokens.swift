import Hiredis
import Libcrypto
package import RedisClient
package import TollgateCore

/// Tokens for the admin port: of each a field of the hash `admin:tokens`, by its name. Of a secret only the hash is kept.
///
/// A token is `tga_<name>.<64 hexadecimal digits>`: the name tells where to look, and the hash of the whole text is
/// compared in constant time.
package struct RedisAdminTokens: Sendable {
    package static let prefix = "tga_"

    /// Tokens that there may be.
    package static let maximumCount = 1000

    private static let secretBytes = 32

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Makes a token.
    ///
    /// - Returns: The secret text. Nil when there is a token of that name, or as many as there may be.
    package func create(
        name: String, role: OperatorRole, expiresAt: UnixTime?, at time: UnixTime
    ) async throws(StoreUnavailable) -> String? {
        let text = "\(Self.prefix)\(name).\(RandomBytes.hex(count: Self.secretBytes))"
        let token = AdminToken(
            name: name, role: role, hash: SHA256.digest(text).hex, createdAt: time, expiresAt: expiresAt)
        guard try await client.ask(RedisCommand("HLEN", .adminTokens)).integer ?? 0 < Self.maximumCount else {
            return nil
        }
        let made = try await client.ask(RedisCommand("HSETNX", .adminTokens, name, token.words))
        return made.integer == 1 ? text : nil
    }

    /// - Returns: False when there is none of that name.
    package func revoke(_ name: String) async throws(StoreUnavailable) -> Bool {
        try await client.ask(RedisCommand("HDEL", .adminTokens, name)).integer == 1
    }

    /// All tokens, by name.
    package func all() async throws(StoreUnavailable) -> [AdminToken] {
        guard let fields = (try await client.ask(RedisCommand("HGETALL", .adminTokens)).array ?? []).hashFields else {
            throw .unexpectedReply(of: "HGETALL")
        }
        return fields.compactMap { AdminToken(name: $0, words: $1) }.sorted { $0.name < $1.name }
    }

    /// The token that a text is. Nil for a text that is none, or none any more.
    package func token(of text: String, at time: UnixTime) async throws(StoreUnavailable) -> AdminToken? {
        guard text.hasPrefix(Self.prefix), text.utf8.count <= 256, let dot = text.lastIndex(of: ".") else { return nil }
        let name = String(text[text.index(text.startIndex, offsetBy: Self.prefix.count)..<dot])
        // A name that is none is looked up as well: no answer comes sooner than another.
        let words = try await client.ask(RedisCommand("HGET", .adminTokens, name)).string
        let token = words.flatMap { AdminToken(name: name, words: $0) }
        let isRight = ConstantTime.equals(
            Array(SHA256.digest(text).hex.utf8), Array((token?.hash ?? SHA256.digest("").hex).utf8))
        guard let token, isRight, token.isValid(at: time) else { return nil }
        return token
    }
}

extension AdminToken {
    /// `role=admin hash=… createdAt=… expiresAt=…`
    fileprivate var words: String {
        "role=\(role.rawValue) createdAt=\(createdAt.iso8601)"
            + (expiresAt.map { " expiresAt=\($0.iso8601)" } ?? "") + " hash=\(hash)"
    }

    /// One whose end cannot be read has ended.
    fileprivate init?(name: String, words: String) {
        var fields: [String: String] = [:]
        for word in words.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard let role = fields["role"].flatMap({ OperatorRole(rawValue: $0) }), let hash = fields["hash"] else {
            return nil
        }
        self.init(
            name: name, role: role, hash: hash,
            createdAt: fields["createdAt"].flatMap { UnixTime(iso8601: $0) } ?? UnixTime(seconds: 0),
            expiresAt: fields["expiresAt"].map { UnixTime(iso8601: $0) ?? UnixTime(seconds: 0) })
    }
}
