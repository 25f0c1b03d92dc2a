/// What a key may be used for, in words that the operator's routes choose: `read`, `orders:write`.
package struct KeyScope: Sendable, Hashable, CustomStringConvertible {
    package static let maximumLength = 64

    /// The most that a key can have, or a route ask for.
    package static let maximumCount = 32

    /// Grants every scope. No route can ask for it.
    package static let all = KeyScope(trusted: "*")

    /// Makes, shows, rotates and revokes the platform's credentials. No route can ask for it.
    package static let credentials = KeyScope(trusted: "credentials")

    /// Opens checkouts and the billing portal. No route can ask for it.
    package static let billing = KeyScope(trusted: "billing")

    /// What it takes to manage an account. The key of platform credentials stands in public code and
    /// has none of it; and no route can ask for it, for a key that is good for a route must not be good for more.
    package static let management: Set<KeyScope> = [.all, .credentials, .billing]

    package let value: String

    private init(trusted value: String) { self.value = value }

    /// Fails unless `value` is `*`, or has 1 to ``maximumLength`` lower-case letters, digits and `_ - . : /`.
    package init?(_ value: String) {
        guard
            value == "*" || (1...Self.maximumLength).contains(value.utf8.count) && value.utf8.allSatisfy(Self.isAllowed)
        else { return nil }
        self.value = value
    }

    package var description: String { value }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "/"): true
        default: false
        }
    }
}

/// What a secret key is for. Both count in the same quota: a key for tests that cost nothing would be a free plan
/// without an end. The mode is told to the upstream, which may keep tests apart.
package enum KeyMode: String, Sendable, Hashable, CaseIterable {
    case live
    case test

    /// What the key begins with.
    package var prefix: String {
        switch self {
        case .live: "sk_live_"
        case .test: "sk_test_"
        }
    }

    /// Both prefixes are of one length.
    static let prefixLength = 8
}
