/// Looking through bytes eight at a time, since what is looked for is rare.
extension Span<UInt8> {
    /// Where `byte` stands next, from `start` on. The end when it does not.
    func place(of byte: UInt8, from start: Int) -> Int {
        let pattern = UInt64.lowBits &* UInt64(byte)
        var index = start
        while index + 8 <= count, !(word(at: index) ^ pattern).holdsByte(below: 1) { index += 8 }
        while index < count, self[index] != byte { index += 1 }
        return index
    }

    /// Where the bytes of a field's value that stand at `start` end.
    func endOfFieldValue(from start: Int) -> Int {
        let deletes = UInt64.lowBits &* 0x7F
        var index = start
        while index + 8 <= count {
            let word = word(at: index)
            if word.holdsByte(below: 0x20) || (word ^ deletes).holdsByte(below: 1) { break }
            index += 8
        }
        while index < count, self[index].isFieldValueByte { index += 1 }
        return index
    }

    private func word(at index: Int) -> UInt64 {
        // Unsafe: any eight bytes are a number, and whether they are there is checked.
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
    }
}

extension String {
    /// Whether all bytes may stand in a field's value.
    package var isFieldValue: Bool {
        // Unsafe: the bytes are looked at while they are lent.
        let isValue = unsafe utf8.withContiguousStorageIfAvailable { bytes in
            unsafe bytes.span.endOfFieldValue(from: 0) == bytes.count
        }
        return isValue ?? utf8.allSatisfy { $0.isFieldValueByte }
    }
}

extension UInt64 {
    /// The lowest bit of each byte.
    fileprivate static let lowBits: UInt64 = 0x0101_0101_0101_0101

    /// Whether one of the eight bytes is less than `bound`, 0x80 at most: then a borrow sets its highest bit, which was
    /// not set before.
    fileprivate func holdsByte(below bound: UInt64) -> Bool {
        (self &- Self.lowBits &* bound) & ~self & (Self.lowBits << 7) != 0
    }
}
