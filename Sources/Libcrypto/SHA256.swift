import COpenSSL

/// SHA-256 (FIPS 180-4) by the system's libcrypto, so that a security update of the distribution reaches it.
package enum SHA256 {
    /// The digest of the string's UTF-8 bytes.
    package static func digest(_ text: String) -> SHA256Digest {
        var text = text
        return text.withUTF8 { bytes in unsafe digest(bytes) }
    }

    /// The digest of `bytes`.
    package static func digest(_ bytes: [UInt8]) -> SHA256Digest {
        unsafe bytes.withUnsafeBufferPointer { bytes in unsafe digest(bytes) }
    }

    private static func digest(_ bytes: UnsafeBufferPointer<UInt8>) -> SHA256Digest {
        // Unsafe: libcrypto reads exactly `count` bytes and writes exactly the 32 bytes of the digest.
        let digest = unsafe [UInt8](unsafeUninitializedCapacity: SHA256Digest.byteCount) { output, count in
            _ = unsafe COpenSSL.SHA256(bytes.baseAddress, bytes.count, output.baseAddress)
            count = SHA256Digest.byteCount
        }
        return SHA256Digest(bytes: digest)
    }
}

/// The 32 bytes of a SHA-256, held inline: as a dictionary's key it costs no allocation.
package struct SHA256Digest: Sendable, Hashable {
    package static let byteCount = 32

    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(bytes: [UInt8]) {
        func word(_ index: Int) -> UInt64 {
            bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// 64 lower-case hexadecimal digits.
    package var hex: String {
        [words.0, words.1, words.2, words.3].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
