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
        var words: SHA256Digest.Words = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { output in
            // Unsafe: libcrypto reads exactly `count` bytes and writes exactly the 32 bytes of the digest.
            let start = unsafe output.baseAddress?.assumingMemoryBound(to: UInt8.self)
            let isDone = unsafe EVP_Digest(bytes.baseAddress, bytes.count, start, nil, algorithm, nil)
            precondition(isDone == 1, "libcrypto has no memory left")
        }
        return SHA256Digest(words: (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian))
    }

    /// Looked up once: the lookup costs as much as the digest of 100 bytes.
    ///
    /// Unsafe: made once and never freed; libcrypto only reads it, from any thread.
    private static nonisolated(unsafe) let algorithm: OpaquePointer = {
        guard let algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil) else { fatalError("libcrypto has no SHA-256") }
        return unsafe algorithm
    }()
}

/// The 32 bytes of a SHA-256, held inline: as a dictionary's key it costs no allocation.
package struct SHA256Digest: Sendable, Hashable {
    package static let byteCount = 32

    /// The first byte uppermost in the first.
    typealias Words = (UInt64, UInt64, UInt64, UInt64)

    private let words: Words

    init(words: Words) { self.words = words }

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
