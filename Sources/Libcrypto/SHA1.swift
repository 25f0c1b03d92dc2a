import COpenSSL

/// SHA-1, where Redis asks for it: it names a cached script by the SHA-1 of its text, and has no other digest to offer
/// to a script.
package enum SHA1 {
    /// 40 lower-case hexadecimal digits of the digest of the string's UTF-8 bytes.
    package static func hexDigest(_ text: String) -> String {
        var text = text
        let digest = text.withUTF8 { bytes in
            // Unsafe: libcrypto reads exactly `count` bytes and writes exactly the 20 bytes of the digest.
            unsafe [UInt8](unsafeUninitializedCapacity: 20) { output, count in
                _ = unsafe COpenSSL.SHA1(bytes.baseAddress, bytes.count, output.baseAddress)
                count = 20
            }
        }
        return Hexadecimal.encode(digest)
    }
}
