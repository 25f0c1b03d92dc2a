/// Bytes as text that people can read out and type: Crockford's alphabet in lower case, which has no `i`, `l`, `o` or
/// `u` (https://www.crockford.com/base32.html). Each text stands for one row of bytes only, so that a key cannot be
/// written in two ways.
enum Base32 {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    /// The value of every byte that stands in the alphabet; 255 for all others.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    /// How many characters `byteCount` bytes become.
    static func length(ofBytes byteCount: Int) -> Int { (byteCount * 8 + 4) / 5 }

    /// The first bits first; the last character is filled up with zeros.
    static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(alphabet[Int(bits >> count & 31)])
            }
            bits &= 0xff
        }
        if count > 0 { text.append(alphabet[Int(bits << (5 - count) & 31)]) }
        return text
    }

    /// The inverse of ``encode(_:)``. Nil when `text` is nothing that it makes.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 5 / 8)
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for character in text {
            let value = values[Int(character)]
            guard value < 32 else { return nil }
            bits = bits << 5 | UInt32(value)
            count += 5
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
            bits &= 0xff
        }
        // What is left over fills the last character up: fewer bits than one has, all zero.
        guard count < 5, bits & (1 << count - 1) == 0 else { return nil }
        return bytes
    }
}

/// The cyclic redundancy check of Ethernet and zip (ISO 3309; polynomial 0x04C11DB7, bits reversed).
///
/// It finds every change within 32 neighbouring bits: any one mistyped character, and any two that changed places.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ value >> 1 : value >> 1 }
    }

    /// The check of `bytes`, most significant byte first.
    static func check(of bytes: some Sequence<UInt8>) -> [UInt8] {
        var state = UInt32.max
        for byte in bytes { state = table[Int((state ^ UInt32(byte)) & 0xff)] ^ state >> 8 }
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ~state >> $0) }
    }
}
