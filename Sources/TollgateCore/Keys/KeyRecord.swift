/// What the owner says of a key when it is made. It stays as it is as long as the key.
package struct KeyTerms: Sendable, Hashable {
    package let name: String
    package let mode: KeyMode

    /// What the key may be used for. None: only routes that ask for no scope.
    package let scopes: [KeyScope]

    /// From when on the key is refused, in whole seconds. Nil: never.
    package let expiresAt: UnixTime?

    /// The addresses and networks that the key may be used from. Nil: from everywhere.
    package let allowedIPs: NetworkList?

    /// - Parameter expiresAt: Fractions of a second are dropped.
    package init(
        name: String, mode: KeyMode = .live, scopes: [KeyScope] = [.all], expiresAt: UnixTime? = nil,
        allowedIPs: NetworkList? = nil
    ) {
        self.name = name
        self.mode = mode
        self.scopes = scopes
        self.expiresAt = expiresAt.map { UnixTime(seconds: $0.seconds) }
        self.allowedIPs = allowedIPs
    }
}

/// The terms of a key that is to be made, which have been checked.
package struct KeyDraft: Sendable, Hashable {
    /// Bytes of UTF-8.
    package static let maximumNameLength = 100

    /// Addresses and networks of a key that may not be used from everywhere.
    package static let maximumAllowedIPs = 16

    /// The field that is wrong, and how.
    package enum Problem: Error, Sendable, Hashable {
        /// Empty, longer than ``maximumNameLength``, or with characters that break a line.
        case name
        case tooManyScopes(Int)
        /// The end lies in the past.
        case expiry
        /// No network at all, or more than ``maximumAllowedIPs``.
        case allowedIPs(Int)
    }

    /// What the key is to be made with.
    package let terms: KeyTerms

    /// - Parameter time: Now.
    /// - Throws: The field that is wrong.
    package init(_ terms: KeyTerms, at time: UnixTime) throws(Problem) {
        guard (1...Self.maximumNameLength).contains(terms.name.utf8.count),
            terms.name.unicodeScalars.allSatisfy(Self.isOnOneLine)
        else { throw .name }
        guard terms.scopes.count <= KeyScope.maximumCount else { throw .tooManyScopes(terms.scopes.count) }
        if let end = terms.expiresAt {
            guard end.seconds > time.seconds else { throw .expiry }
        }
        if let networks = terms.allowedIPs {
            guard (1...Self.maximumAllowedIPs).contains(networks.count) else { throw .allowedIPs(networks.count) }
        }
        self.terms = terms
    }

    private static func isOnOneLine(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

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
    package let terms: KeyTerms
    package let status: Status
    package let createdAt: UnixTime
    package let hash: KeyHash

    /// When the present secret was used last, to the minute. Nil when it has not been used.
    package let lastUsedAt: UnixTime?

    /// What the last rotation left. It may be over.
    package let previous: Previous?

    package init(
        id: KeyID, terms: KeyTerms, status: Status = .active, createdAt: UnixTime, hash: KeyHash,
        lastUsedAt: UnixTime? = nil, previous: Previous? = nil
    ) {
        self.id = id
        self.terms = terms
        self.status = status
        self.createdAt = createdAt
        self.hash = hash
        self.lastUsedAt = lastUsedAt
        self.previous = previous
    }

    /// Whether the key's end has come.
    package func isExpired(at time: UnixTime) -> Bool { terms.expiresAt.map { $0.seconds <= time.seconds } ?? false }
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
    /// The key is good, but may not be used from the caller's address.
    case addressNotAllowed = "address-not-allowed"

    /// Whether the key passes elsewhere: it is good, and not for this.
    package var isOfGoodKey: Bool {
        switch self {
        case .unknown, .revoked, .expired: false
        case .scopeMissing, .addressNotAllowed: true
        }
    }

    /// One sentence for the caller: what is wrong and what to do.
    package var message: String {
        switch self {
        case .unknown: "There is no such key. Check it, or make a new one."
        case .revoked: "The key was revoked. Make a new one."
        case .expired: "The key has expired. Use its successor, or make a new one."
        case .scopeMissing: "The key does not have the scope that this needs. Use another one."
        case .addressNotAllowed:
            "This key may not be used from this address. Use it from an allowed address, or make another key."
        }
    }
}
