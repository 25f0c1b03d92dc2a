import COpenSSL

/// Comparison that takes as long for a near miss as for a wild guess.
package enum ConstantTime {
    /// Whether both hold the same bytes. Only a difference in length, which is no secret, is told apart sooner.
    package static func equals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        // Unsafe: libcrypto reads exactly `count` bytes of each, and both have that many.
        return unsafe CRYPTO_memcmp(left, right, left.count) == 0
    }
}
