/// Keeps every user's secret keys. What it says is effective with the next call, on every worker.
package protocol KeyStore: Sendable {
    /// Makes a key.
    ///
    /// - Parameter time: Now.
    func create(_ draft: KeyDraft, of user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> KeyCreation

    /// The user's keys, the oldest first: all that are not revoked. One whose end has come is among them until it has
    /// to make room.
    func keys(of user: UserID) async throws(StoreUnavailable) -> [KeyRecord]

    /// Revokes a key with all its secrets. May be repeated.
    func revoke(_ id: KeyID, of user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> KeyRevocation

    /// Gives a key a new secret. Name, scopes and end stay; no limit is lifted by it, for quota and rate are the
    /// user's.
    ///
    /// The secret so far works for `overlapSeconds` more. If it was never used, as when the answer of the last
    /// rotation was lost, it is forgotten instead, and the one before it stays. Without an overlap no earlier secret works
    /// on, whatever earlier rotations have promised.
    ///
    /// - Parameter overlapSeconds: 0 to ``KeyLimits/maximumOverlapSeconds``; more is taken as that.
    func rotate(
        _ id: KeyID, of user: UserID, overlapSeconds: Int64, at time: UnixTime
    ) async throws(StoreUnavailable) -> KeyRotation
}

/// How much of everything a user may have.
package enum KeyLimits {
    /// Keys of one user that are neither revoked nor expired.
    package static let maximumCount = 50

    /// How long a secret that was rotated out may work at most: 30 days.
    package static let maximumOverlapSeconds: Int64 = 30 * 86_400

    /// How long it is remembered that a key was revoked or has expired, so that its user is told so: a week. Then the
    /// key is unknown.
    package static let refusalKeptSeconds: Int64 = 7 * 86_400

    /// Keys of one user of which that is remembered. Of more, those that ended first are unknown.
    package static let maximumEndedCount = 50
}

/// A key with its secret, which is shown once and kept nowhere.
package struct IssuedKey: Sendable, Hashable {
    package let key: APIKey
    package let record: KeyRecord

    package init(key: APIKey, record: KeyRecord) {
        self.key = key
        self.record = record
    }
}

/// The outcome of making a key.
package enum KeyCreation: Sendable, Hashable {
    case created(IssuedKey)
    /// The user has ``KeyLimits/maximumCount`` keys already.
    case tooMany
    /// The user has changed keys too often lately.
    case tooOften(KeyChangeRefusal)
}

/// What became of a revocation.
package enum KeyRevocation: Sendable, Hashable {
    case revoked
    /// It was revoked before.
    case revokedBefore
    /// The user has no such key, or had it long ago.
    case unknown
}

/// What became of a rotation.
package enum KeyRotation: Sendable, Hashable {
    case rotated(IssuedKey)
    /// The user has no such key, or it is revoked.
    case unknown
    /// Its end has come, and a rotation does not lift it.
    case expired
    /// The user has changed keys too often lately.
    case tooOften(KeyChangeRefusal)
}

/// How often a user's keys may be made and rotated, secret keys and the publishable one together. Each change writes to
/// the store and costs no call. Revoking is never refused: a key that was lost has to end now.
package struct KeyChangeLimits: Sendable, Hashable {
    /// All keys that there may be can be made, or rotated, at one go.
    package static let standard = KeyChangeLimits(perMinute: 60, perDay: 500)

    package let perMinute: Int

    /// A day in UTC.
    package let perDay: Int

    package init(perMinute: Int, perDay: Int) {
        self.perMinute = perMinute
        self.perDay = perDay
    }
}

/// The limit that a change of a key has met.
package enum KeyChangeRefusal: Sendable, Hashable {
    case ofMinute
    case ofDay

    /// Seconds until a change can be made again, at least one.
    package func retryAfterSeconds(at time: UnixTime) -> Int64 {
        let end =
            switch self {
            case .ofMinute: RateWindow(containing: time).end
            case .ofDay: CalendarDay(containing: time).startOfDay.adding(seconds: 86_400)
            }
        return max(1, end.seconds - time.seconds)
    }
}
