import Synchronization

/// Names for requests: unique in this worker by a counter, among workers by a random beginning. They carry no secret.
package final class RequestIDGenerator: Sendable {
    /// What all names of this worker begin with.
    package let workerID: String

    private let prefix: [UInt8]
    private let counter = Atomic<UInt64>(0)

    package init() {
        workerID = String(UInt64.random(in: 0x1000_0000_0000...0xffff_ffff_ffff), radix: 16)
        prefix = Array("\(workerID)-".utf8)
    }

    /// Such as `9f86d081884c-2a`.
    package func next() -> String {
        let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
        let length = prefix.count + (UInt64.bitWidth - number.leadingZeroBitCount + 3) / 4
        // Put together where it stays: the sum of two strings would be made of three.
        return unsafe String(unsafeUninitializedCapacity: length) { text in
            // Unsafe: there is room for `length` bytes, and all of them are written.
            for (place, byte) in prefix.enumerated() { unsafe text[place] = byte }
            var rest = number
            for place in (prefix.count..<length).reversed() {
                unsafe text[place] = Self.digits[Int(rest & 0xF)]
                rest >>= 4
            }
            return length
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)
}
