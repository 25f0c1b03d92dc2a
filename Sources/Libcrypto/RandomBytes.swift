import COpenSSL

/// Bytes of the cryptographic random generator of the system's libcrypto.
package enum RandomBytes {
    /// `count` random bytes.
    package static func make(count: Int) -> [UInt8] {
        // Unsafe: libcrypto writes exactly `count` bytes.
        unsafe [UInt8](unsafeUninitializedCapacity: count) { output, initializedCount in
            let status = unsafe RAND_bytes(output.baseAddress, Int32(count))
            // A key made of predictable bytes would be worse than no answer.
            precondition(status == 1, "libcrypto has no random bytes")
            initializedCount = count
        }
    }

    /// `count` random bytes as twice as many lower-case hexadecimal digits.
    package static func hex(count: Int) -> String { Hexadecimal.encode(make(count: count)) }
}
