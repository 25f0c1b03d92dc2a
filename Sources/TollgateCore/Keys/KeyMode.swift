/// What a secret key is for. Both count in the same quota: a key for tests that cost nothing would be a free plan
/// without an end. The mode is told to the upstream, which may keep tests apart.
package enum KeyMode: String, Sendable, Hashable, CaseIterable {
    case live
    case test

    /// What the key begins with: `sk_live_` or `sk_test_`.
    package var prefix: String { "sk_\(rawValue)_" }

    /// Both prefixes are of one length.
    static let prefixLength = 8
}
