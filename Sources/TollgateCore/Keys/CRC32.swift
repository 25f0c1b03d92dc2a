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
