import COpenSSL

/// HMAC with SHA-256 (RFC 2104, FIPS 198-1) by the system's libcrypto: what signed webhooks carry.
package enum HMACSHA256 {
    /// Length of a code.
    package static let byteCount = 32

    /// The 32 bytes that only a holder of `key` can compute for `message`. Compare them with ``ConstantTime``.
    package static func authenticationCode(of message: [UInt8], key: [UInt8]) -> [UInt8] {
        // Unsafe: libcrypto reads exactly both counts and writes exactly the 32 bytes of the code.
        unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { output, count in
            let code = unsafe HMAC(
                EVP_sha256(), key, Int32(key.count), message, message.count, output.baseAddress, nil)
            // It fails only without memory. Going on would compare with bytes that were never computed.
            precondition(unsafe code != nil, "libcrypto could not compute an HMAC")
            count = byteCount
        }
    }
}
