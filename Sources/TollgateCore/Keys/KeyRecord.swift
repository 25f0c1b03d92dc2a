/// What is kept of a secret key.
package struct KeyRecord: Sendable, Hashable {
    package enum Status: String, Sendable, Hashable {
        case active
        case revoked
    }

    /// The secret that was rotated out and still works for a while.
    package struct Previous: Sendable, Hashable {
        package let hash: KeyHash

        /// From when on it is refused.
        package let until: UnixTime

        /// When it was used last, to the minute. Nil when it has not been used.
        package let lastUsedAt: UnixTime?

        package init(hash: KeyHash, until: UnixTime, lastUsedAt: UnixTime?) {
            self.hash = hash
            self.until = until
            self.lastUsedAt = lastUsedAt
        }
    }

    package let id: KeyID
    package let name: String
    package let mode: KeyMode
    package let scopes: [KeyScope]
    package let status: Status
    package let createdAt: UnixTime
    package let expiresAt: UnixTime?
    package let hash: KeyHash

    /// When the present secret was used last, to the minute. Nil when it has not been used.
    package let lastUsedAt: UnixTime?

    /// What the last rotation left. It may be over.
    package let previous: Previous?

    package init(
        id: KeyID, name: String, mode: KeyMode, scopes: [KeyScope], status: Status = .active, createdAt: UnixTime,
        expiresAt: UnixTime? = nil, hash: KeyHash, lastUsedAt: UnixTime? = nil, previous: Previous? = nil
    ) {
        self.id = id
        self.name = name
        self.mode = mode
        self.scopes = scopes
        self.status = status
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.hash = hash
        self.lastUsedAt = lastUsedAt
        self.previous = previous
    }

    /// Whether the key's end has come.
    package func isExpired(at time: UnixTime) -> Bool { expiresAt.map { $0.seconds <= time.seconds } ?? false }
}

/// Why a key is not let in. The raw values are the `code` of the HTTP answer and the label of the metric.
package enum KeyRefusal: String, Sendable, Hashable, CaseIterable {
    /// No such key, or one that was revoked long ago. Also: the right name with the wrong secret.
    case unknown = "key-unknown"
    case revoked = "key-revoked"
    /// Its end has come, or the time that a rotated secret has left.
    case expired = "key-expired"
    /// The key is good, and not for this.
    case scopeMissing = "scope-missing"

    /// One sentence for the caller: what is wrong and what to do.
    package var message: String {
        switch self {
        case .unknown: "There is no such key. Check it, or make a new one."
        case .revoked: "The key was revoked. Make a new one."
        case .expired: "The key has expired. Use its successor, or make a new one."
        case .scopeMissing: "The key does not have the scope that this needs. Use another one."
        }
    }
}
