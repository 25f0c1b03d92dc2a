import Hiredis
import Libcrypto
package import RedisClient
package import TollgateCore

/// Secret keys in Redis: one hash for each, and a sorted set of each user's.
package struct RedisKeyStore: KeyStore {
    private static let createScript = NamedScript<CreateKeySignature>(
        "create_key.lua", resource: PackageResources.create_key_lua,
        prelude: PackageResources.values_lua + PackageResources.change_limit_lua + PackageResources.end_key_lua)
    private static let listScript = RedisScript(resource: PackageResources.list_keys_lua)
    private static let revokeScript = NamedScript<RevokeKeySignature>(
        "revoke_key.lua", resource: PackageResources.revoke_key_lua, prelude: PackageResources.end_key_lua)
    private static let rotateScript = NamedScript<RotateKeySignature>(
        "rotate_key.lua", resource: PackageResources.rotate_key_lua,
        prelude: PackageResources.values_lua + PackageResources.change_limit_lua)

    private let client: RedisClient
    private let changes: KeyChangeLimits

    package init(client: RedisClient, changes: KeyChangeLimits = .standard) {
        self.client = client
        self.changes = changes
    }

    package func create(
        _ draft: KeyDraft, of user: UserID, at time: UnixTime
    ) async throws(StoreUnavailable) -> KeyCreation {
        guard let id = KeyID(bytes: RandomBytes.make(count: KeyID.byteCount)) else {
            throw StoreUnavailable(reason: "a key's id was made in another form than it has")
        }
        let key = try Self.makeKey(id, of: user, draft.terms.mode)
        let record = KeyRecord(
            id: id, terms: draft.terms, createdAt: UnixTime(seconds: time.seconds), hash: KeyHash(of: key))
        let keptSeconds = draft.terms.expiresAt.map { $0.seconds - time.seconds + KeyLimits.refusalKeptSeconds } ?? 0
        let reply = try await client.ask(
            Self.createScript.call(rest: KeyRecord.schema(of: id).fields(of: record)) { key in
                switch key {
                case .list: .keys(of: user)
                case .record: .key(id, of: user)
                case .minuteChanges: .keyChanges(of: user, inMinuteOf: time)
                case .dayChanges: .keyChanges(of: user, onDayOf: time)
                }
            } with: { argument in
                switch argument {
                case .id: id.value
                case .score: time.score
                case .now: time.iso8601
                case .maximumKeys: "\(KeyLimits.maximumCount)"
                case .keptSeconds: "\(keptSeconds)"
                case .minuteLimit: "\(changes.perMinute)"
                case .dayLimit: "\(changes.perDay)"
                case .maximumEnded: "\(KeyLimits.maximumEndedCount)"
                case .endedSeconds: "\(KeyLimits.refusalKeptSeconds)"
                }
            })
        switch Self.createScript.outcome(of: reply) {
        case .made: return .created(IssuedKey(key: key, record: record))
        case .minuteReached: return .tooOften(.ofMinute)
        case .dayReached: return .tooOften(.ofDay)
        case .tooMany: return .tooMany
        case nil: throw Self.createScript.unexpectedReply()
        }
    }

    package func keys(of user: UserID) async throws(StoreUnavailable) -> [KeyRecord] {
        let reply = try await client.ask(RedisScript.Call(Self.listScript, on: [.keys(of: user)], arguments: []))
        guard let elements = reply.array, elements.count.isMultiple(of: 2) else {
            throw .unexpectedReply(of: "list_keys.lua")
        }
        return stride(from: 0, to: elements.count, by: 2).compactMap { index in
            guard let id = elements[index].string.flatMap({ KeyID($0) }),
                let record = Self.record(id, in: elements[index + 1].array ?? []), record.status == .active
            else { return nil }
            return record
        }
    }

    package func revoke(
        _ id: KeyID, of user: UserID, at time: UnixTime
    ) async throws(StoreUnavailable) -> KeyRevocation {
        let reply = try await client.ask(
            Self.revokeScript.call { key in
                switch key {
                case .list: .keys(of: user)
                case .record: .key(id, of: user)
                }
            } with: { argument in
                switch argument {
                case .id: id.value
                case .score: time.score
                case .now: time.iso8601
                case .maximumEnded: "\(KeyLimits.maximumEndedCount)"
                case .endedSeconds: "\(KeyLimits.refusalKeptSeconds)"
                }
            })
        switch Self.revokeScript.outcome(of: reply) {
        case .unknown: return .unknown
        case .revoked: return .revoked
        case .revokedBefore: return .revokedBefore
        case nil: throw Self.revokeScript.unexpectedReply()
        }
    }

    /// The mode is part of the secret's text and never changes, so it may be read before.
    package func rotate(
        _ id: KeyID, of user: UserID, overlapSeconds: Int64, at time: UnixTime
    ) async throws(StoreUnavailable) -> KeyRotation {
        guard let before = try await record(id, of: user) else { return .unknown }
        let key = try Self.makeKey(id, of: user, before.terms.mode)
        let overlap = min(max(0, overlapSeconds), KeyLimits.maximumOverlapSeconds)
        let reply = try await client.ask(
            Self.rotateScript.call { key in
                switch key {
                case .record: .key(id, of: user)
                case .minuteChanges: .keyChanges(of: user, inMinuteOf: time)
                case .dayChanges: .keyChanges(of: user, onDayOf: time)
                }
            } with: { argument in
                switch argument {
                case .hash: KeyHash(of: key).hex
                case .now: time.iso8601
                case .overlapEnd: time.adding(seconds: overlap).iso8601
                case .minuteLimit: "\(changes.perMinute)"
                case .dayLimit: "\(changes.perDay)"
                }
            })
        switch Self.rotateScript.outcome(of: reply) {
        case .rotated:
            guard let record = Self.record(id, in: (reply.array ?? []).dropFirst()) else {
                throw Self.rotateScript.unexpectedReply()
            }
            return .rotated(IssuedKey(key: key, record: record))
        case .minuteReached: return .tooOften(.ofMinute)
        case .dayReached: return .tooOften(.ofDay)
        case .unknown: return .unknown
        case .expired: return .expired
        case nil: throw Self.rotateScript.unexpectedReply()
        }
    }

    /// Nil when there is none, or not enough of it to be one.
    private func record(_ id: KeyID, of user: UserID) async throws(StoreUnavailable) -> KeyRecord? {
        let reply = try await client.ask(RedisCommand("HGETALL", .key(id, of: user)))
        guard let fields = (reply.array ?? []).hashFields else { throw .unexpectedReply(of: "HGETALL") }
        return KeyRecord.schema(of: id).value(in: fields)
    }

    private static func record(_ id: KeyID, in reply: some Collection<RedisReply>) -> KeyRecord? {
        reply.hashFields.flatMap { KeyRecord.schema(of: id).value(in: $0) }
    }

    private static func makeKey(
        _ id: KeyID, of user: UserID, _ mode: KeyMode
    ) throws(StoreUnavailable) -> APIKey {
        let secret = RandomBytes.make(count: APIKey.secretByteCount)
        guard let key = APIKey(id: id, owner: user, mode: mode, secret: secret) else {
            throw StoreUnavailable(reason: "a key was made in another form than it has")
        }
        return key
    }
}

extension UnixTime {
    /// As the score of a sorted set: YYYYMMDDhhmmss.
    fileprivate var score: String { iso8601.filter(\.isNumber) }
}

// MARK: What the scripts are given, and what they answer

/// The limits are those of changes of keys (``KeyChangeLimits``).
private enum CreateKeySignature: ScriptSignature {
    enum Key: String, ScriptName { case list, record, minuteChanges, dayChanges }

    enum Argument: String, ScriptName {
        case id

        /// Now, for the sorted set (YYYYMMDDhhmmss) and for people (ISO 8601).
        case score, now

        /// The most keys that a user may have.
        case maximumKeys

        /// How long the record is kept. 0 = for good.
        case keptSeconds
        case minuteLimit, dayLimit

        /// How many keys that have ended are kept, and how long.
        case maximumEnded, endedSeconds
    }

    enum Outcome: String, ScriptName { case made, minuteReached, dayReached, tooMany }
}

private enum RevokeKeySignature: ScriptSignature {
    enum Key: String, ScriptName { case list, record }

    enum Argument: String, ScriptName {
        case id
        case score, now
        case maximumEnded, endedSeconds
    }

    enum Outcome: String, ScriptName { case unknown, revoked, revokedBefore }
}

private enum RotateKeySignature: ScriptSignature {
    enum Key: String, ScriptName { case record, minuteChanges, dayChanges }

    enum Argument: String, ScriptName {
        /// Of the new secret.
        case hash
        case now

        /// Now or earlier when there is no overlap.
        case overlapEnd
        case minuteLimit, dayLimit
    }

    enum Outcome: String, ScriptName { case rotated, minuteReached, dayReached, unknown, expired }
}
