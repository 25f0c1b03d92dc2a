import Hiredis
import Libcrypto
package import RedisClient
package import TollgateCore

/// Platform credentials in Redis.
///
/// The pair is kept under the user's own keys, in one slot and by one script. The keys that lead back from a platform or
/// from a key's hash lie in other slots, where no script can write them together with the pair. So they are written
/// plainly after every call: what a crash left out comes with the next. They are hints: an admission compares the key
/// with the pair.
package struct RedisCredentialStore: CredentialStore {
    private static let keepScript = NamedScript<KeepCredentialsSignature>(
        "keep_credentials.lua", resource: PackageResources.keep_credentials_lua,
        prelude: PackageResources.values_lua + PackageResources.change_limit_lua)
    private static let rotateScript = NamedScript<RotateCredentialsSignature>(
        "rotate_credentials.lua", resource: PackageResources.rotate_credentials_lua,
        prelude: PackageResources.values_lua + PackageResources.change_limit_lua)
    private static let revokeScript = NamedScript<RevokeCredentialsSignature>(
        "revoke_credentials.lua", resource: PackageResources.revoke_credentials_lua)

    private let client: RedisClient
    private let changes: KeyChangeLimits

    package init(client: RedisClient, changes: KeyChangeLimits = .standard) {
        self.client = client
        self.changes = changes
    }

    package func credentials(
        for user: UserID, candidate: Credentials, at time: UnixTime
    ) async throws(StoreUnavailable) -> CredentialKeeping {
        let reply = try await client.ask(
            Self.keepScript.call { key in
                switch key {
                case .platform: .platformID(of: user)
                case .current: .apiKey(of: user)
                case .minuteChanges: .keyChanges(of: user, inMinuteOf: time)
                case .dayChanges: .keyChanges(of: user, onDayOf: time)
                }
            } with: { argument in
                switch argument {
                case .platformID: candidate.platformID
                case .apiKey: candidate.apiKey
                case .minuteLimit: "\(changes.perMinute)"
                case .dayLimit: "\(changes.perDay)"
                }
            })
        switch Self.keepScript.outcome(of: reply) {
        case .kept: break
        case .minuteReached: return .tooOften(.ofMinute)
        case .dayReached: return .tooOften(.ofDay)
        case nil: throw Self.keepScript.unexpectedReply()
        }
        guard let elements = reply.array, elements.count == 3,
            let kept = Credentials(platformID: elements[1].string ?? "", apiKey: elements[2].string ?? "")
        else { throw StoreUnavailable(reason: "a user's stored credentials are damaged") }
        try await index(kept, of: user)
        return .kept(kept)
    }

    /// A pair of which one half was lost is not valid: there is nothing to make the other half from here.
    package func stored(for user: UserID) async throws(StoreUnavailable) -> Credentials? {
        let replies = try await client.ask(all: [
            RedisCommand("MGET", keys: [.platformID(of: user), .apiKey(of: user)]),
            RedisCommand("HMGET", .previousAPIKey(of: user), "status", "until"),
        ])
        guard let previous = replies[1].array, previous.count == 2 else { throw .unexpectedReply(of: "HMGET") }
        let until = previous[0].string == "active" ? previous[1].string.flatMap { UnixTime(iso8601: $0) } : nil
        return try Self.credentials(in: replies[0], previousUntil: until)
    }

    package func existing(for user: UserID) async throws(StoreUnavailable) -> Credentials? {
        guard let credentials = try await stored(for: user) else { return nil }
        try await index(credentials, of: user)
        return credentials
    }

    package func rotate(
        for user: UserID, to key: PlatformKey, overlapSeconds: Int64, at time: UnixTime
    ) async throws(StoreUnavailable) -> CredentialRotation {
        let overlap = min(max(0, overlapSeconds), KeyLimits.maximumOverlapSeconds)
        let until = UnixTime(seconds: time.seconds + overlap)
        let kept = overlap + KeyLimits.refusalKeptSeconds
        let reply = try await client.ask(
            Self.rotateScript.call { key in
                switch key {
                case .platform: .platformID(of: user)
                case .current: .apiKey(of: user)
                case .previous: .previousAPIKey(of: user)
                case .minuteChanges: .keyChanges(of: user, inMinuteOf: time)
                case .dayChanges: .keyChanges(of: user, onDayOf: time)
                }
            } with: { argument in
                switch argument {
                case .apiKey: key.text
                // Without an overlap it has ended whatever the clock will say.
                case .overlapEnd: (overlap > 0 ? until : UnixTime(seconds: 0)).iso8601
                case .keptSeconds: "\(kept)"
                case .minuteLimit: "\(changes.perMinute)"
                case .dayLimit: "\(changes.perDay)"
                }
            })
        switch Self.rotateScript.outcome(of: reply) {
        case .rotated:
            guard let elements = reply.array, elements.count == 4,
                let rotated = Credentials(
                    platformID: elements[1].string ?? "", apiKey: key.text, previousUntil: until)
            else { throw StoreUnavailable(reason: "a user's stored credentials are damaged") }
            try await index(rotated, of: user)
            try await forget(elements[3].string, keeping: elements[2].string, seconds: kept)
            return .rotated(rotated)
        case .minuteReached: return .tooOften(.ofMinute)
        case .dayReached: return .tooOften(.ofDay)
        case .unknown: return .unknown
        case nil: throw Self.rotateScript.unexpectedReply()
        }
    }

    package func revoke(for user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> KeyRevocation {
        let reply = try await client.ask(
            Self.revokeScript.call { key in
                switch key {
                case .current: .apiKey(of: user)
                case .previous: .previousAPIKey(of: user)
                }
            } with: { argument in
                switch argument {
                case .now: time.iso8601
                case .keptSeconds: "\(KeyLimits.refusalKeptSeconds)"
                }
            })
        switch Self.revokeScript.outcome(of: reply) {
        case .unknown: return .unknown
        case .revoked:
            guard let elements = reply.array, elements.count == 3 else { throw Self.revokeScript.unexpectedReply() }
            try await forget(elements[2].string, keeping: elements[1].string, seconds: KeyLimits.refusalKeptSeconds)
            return .revoked
        case .revokedBefore: return .revokedBefore
        case nil: throw Self.revokeScript.unexpectedReply()
        }
    }

    /// Reads platform and key. Nil when one of them is missing.
    private static func credentials(
        in reply: RedisReply, previousUntil: UnixTime? = nil
    ) throws(StoreUnavailable) -> Credentials? {
        guard let elements = reply.array, elements.count == 2 else { throw .unexpectedReply(of: "Redis") }
        guard !elements.contains(.null) else { return nil }
        guard let platformID = elements[0].string, let apiKey = elements[1].string,
            let credentials = Credentials(platformID: platformID, apiKey: apiKey, previousUntil: previousUntil)
        else { throw StoreUnavailable(reason: "a user's stored credentials are damaged") }
        return credentials
    }

    // MARK: The way from a key to its user

    private func index(_ credentials: Credentials, of user: UserID) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("SET", .platformUser(credentials.platformID), user.value))
        _ = try await client.ask(RedisCommand("SET", Self.name(of: credentials.apiKey), credentials.platformID))
    }

    /// The key that ends now is found as long as its end is remembered, so that its refusal says why. Of one that ended
    /// before nothing remains: a user has two of these names at most.
    private func forget(
        _ oldest: String?, keeping ending: String?, seconds: Int64
    ) async throws(StoreUnavailable) {
        if let ending { _ = try await client.ask(RedisCommand("EXPIRE", Self.name(of: ending), "\(seconds)")) }
        if let oldest, !oldest.isEmpty { _ = try await client.ask(RedisCommand("DEL", Self.name(of: oldest))) }
    }

    private static func name(of apiKey: String) -> RedisKey { .apiKey(sha256: SHA256.digest(apiKey).hex) }
}

// MARK: What the scripts are given, and what they answer

private enum KeepCredentialsSignature: ScriptSignature {
    enum Key: String, ScriptName { case platform, current, minuteChanges, dayChanges }

    enum Argument: String, ScriptName {
        /// The candidates.
        case platformID, apiKey

        /// The limits are those of changes of keys (``KeyChangeLimits``).
        case minuteLimit, dayLimit
    }

    enum Outcome: String, ScriptName { case kept, minuteReached, dayReached }
}

private enum RotateCredentialsSignature: ScriptSignature {
    enum Key: String, ScriptName { case platform, current, previous, minuteChanges, dayChanges }

    enum Argument: String, ScriptName {
        /// The new one.
        case apiKey

        /// Until when the one so far works (ISO 8601).
        case overlapEnd

        /// How long from now on the one so far is remembered.
        case keptSeconds
        case minuteLimit, dayLimit
    }

    enum Outcome: String, ScriptName { case rotated, minuteReached, dayReached, unknown }
}

private enum RevokeCredentialsSignature: ScriptSignature {
    enum Key: String, ScriptName { case current, previous }

    enum Argument: String, ScriptName {
        case now

        /// How long it is remembered that the key was revoked.
        case keptSeconds
    }

    enum Outcome: String, ScriptName { case unknown, revoked, revokedBefore }
}
