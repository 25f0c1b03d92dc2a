import NIOCore

/// The bytes that leave next. The storage of one write is used for the next one, and given back after a burst.
struct OutgoingBytes {
    /// What may be kept in any case.
    private static let ordinaryCapacity = 32 * 1024

    var buffer = ByteBuffer()

    /// About as much as the largest of the latest writes. It fades by a sixteenth with each.
    private var recentPeak = 0

    var isEmpty: Bool { buffer.readableBytes == 0 }

    /// Makes room for the next bytes, after these were handed over.
    mutating func handedOver() {
        recentPeak = max(buffer.readableBytes, recentPeak - recentPeak / 16)
        let wanted = max(recentPeak, Self.ordinaryCapacity)
        if buffer.storageCapacity > 4 * wanted {
            buffer = ByteBuffer()
        } else {
            // Where the write went straight to the socket the storage has no other owner, and it is used again.
            buffer.clear(minimumCapacity: recentPeak)
        }
    }
}
