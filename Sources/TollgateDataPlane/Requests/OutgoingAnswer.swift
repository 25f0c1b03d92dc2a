import HTTPWire
import NIOCore

/// An upstream's answer on its way to the client: framed as the client's connection asks, and in as few writes as its
/// pieces allow.
struct OutgoingAnswer {
    /// Pieces up to this size are copied behind what waits, which costs less than a write of their own.
    private static let maximumCopied = 16 * 1024

    private var waiting = ByteBuffer()
    private var isChunked = false

    /// Takes the head, which ends with the last field.
    mutating func begin(_ head: ByteBuffer, isChunked: Bool) {
        waiting = head
        self.isChunked = isChunked
    }

    /// Takes a part of the body.
    ///
    /// - Returns: What is to be written now.
    mutating func body(_ bytes: ByteBuffer) -> [ByteBuffer] {
        let count = bytes.readableBytes
        guard count > 0 else { return [] }
        if isChunked { waiting.writeChunkSize(count) }
        guard waiting.readableBytes + count > Self.maximumCopied else {
            waiting.writeImmutableBuffer(bytes)
            if isChunked { waiting.writeLineEnd() }
            return []
        }
        var pieces = [bytes]
        if waiting.readableBytes > 0 { pieces.insert(take(), at: 0) }
        if isChunked { waiting.writeLineEnd() }
        return pieces
    }

    mutating func end(trailers: FieldSection, where mayPass: (FieldLine) -> Bool) {
        if isChunked { waiting.writeLastChunk(trailers: trailers, where: mayPass) }
    }

    /// What waits. Empty when nothing does.
    mutating func take() -> ByteBuffer {
        defer { waiting = ByteBuffer() }
        return waiting
    }
}
