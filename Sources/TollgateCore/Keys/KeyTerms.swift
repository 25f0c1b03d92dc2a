/// What a user asks for when they make a key.
package struct KeyDraft: Sendable, Hashable {
    /// Bytes of UTF-8.
    package static let maximumNameLength = 100

    /// The field that is wrong, and how.
    package enum Problem: Error, Sendable, Hashable {
        /// Empty, longer than ``maximumNameLength``, or with characters that break a line.
        case name
        case tooManyScopes(Int)
        /// The end lies in the past.
        case expiry
    }

    package let name: String
    package let mode: KeyMode

    /// What the key may be used for. None: only routes that ask for no scope.
    package let scopes: [KeyScope]

    /// From when on the key is refused. Nil: never. Whole seconds count.
    package let expiresAt: UnixTime?

    /// - Parameter time: Now.
    package init(
        name: String, mode: KeyMode = .live, scopes: [KeyScope] = [.all], expiresAt: UnixTime? = nil, at time: UnixTime
    ) throws(Problem) {
        guard (1...Self.maximumNameLength).contains(name.utf8.count), name.unicodeScalars.allSatisfy(Self.isOnOneLine)
        else { throw .name }
        guard scopes.count <= KeyScope.maximumCount else { throw .tooManyScopes(scopes.count) }
        if let expiresAt {
            guard expiresAt.seconds > time.seconds else { throw .expiry }
        }
        self.name = name
        self.mode = mode
        self.scopes = scopes
        self.expiresAt = expiresAt
    }

    private static func isOnOneLine(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
