/// What an operator may do.
package enum OperatorRole: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Sees.
    case viewer

    /// Helps users: grants, limits, blocks, keys, webhooks.
    case support

    /// Everything, such as deleting users and making tokens.
    case admin

    /// Each may do what those before it may.
    package static func < (one: Self, other: Self) -> Bool {
        (allCases.firstIndex(of: one) ?? 0) < (allCases.firstIndex(of: other) ?? 0)
    }
}

/// Who does something at the gateway: a person or a machine with a token, or who is at the machine itself.
package struct OperatorIdentity: Sendable, Hashable {
    /// Of the token, or `console`.
    package let name: String
    package let role: OperatorRole

    package init(name: String, role: OperatorRole) {
        self.name = name
        self.role = role
    }
}

/// A token for the admin port as it is kept: without its secret.
package struct AdminToken: Sendable, Hashable {
    /// Characters of a name.
    package static let nameLengths = 1...64

    package let name: String
    package let role: OperatorRole

    /// SHA-256 of the secret in lower-case hexadecimal digits.
    package let hash: String
    package let createdAt: UnixTime

    /// Nil for never.
    package let expiresAt: UnixTime?

    package init(name: String, role: OperatorRole, hash: String, createdAt: UnixTime, expiresAt: UnixTime?) {
        self.name = name
        self.role = role
        self.hash = hash
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    package func isValid(at time: UnixTime) -> Bool { expiresAt.map { $0 > time } ?? true }

    /// Letters, digits, `-`, `_` and `.`, so that a name is a word of a token, of a command and of a log line.
    package static func isValidName(_ name: String) -> Bool {
        nameLengths.contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}

/// One line of the audit: what an operator has changed.
package struct AuditEntry: Sendable, Hashable {
    package let time: UnixTime

    /// Who did it: ``OperatorIdentity/name``.
    package let who: String

    /// What was done, such as `users.block`.
    package let action: String

    /// Whom or what it was done to. Nil where there is no one thing.
    package let subject: String?

    /// How it was before and after, for people.
    package let before: String?
    package let after: String?

    /// It was begun, and nothing has said yet how it ended: it is under way, or it may be done or not.
    package let isBegun: Bool

    package init(
        time: UnixTime, who: String, action: String, subject: String?, before: String? = nil, after: String? = nil,
        isBegun: Bool = false
    ) {
        self.time = time
        self.who = who
        self.action = action
        self.subject = subject
        self.before = before
        self.after = after
        self.isBegun = isBegun
    }
}
