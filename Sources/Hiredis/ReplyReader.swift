import CHiredis

/// Takes bytes off the wire in any portions and gives complete replies: hiredis' `redisReader`.
///
/// Not thread-safe, like the reader it owns. After it has thrown it is of no further use: the stream is out of step
/// and hiredis answers every later call with the same error.
@safe
package struct ReplyReader: ~Copyable {
    /// hiredis gives up on arrays nested deeper than this.
    package static let maximumDepth = 7

    // Unsafe: made in init, freed once in deinit; the struct cannot be copied, so nobody else holds it.
    private let reader: UnsafeMutablePointer<redisReader>

    package init() {
        guard let reader = unsafe redisReaderCreate() else { fatalError("hiredis: out of memory") }
        unsafe self.reader = unsafe reader
    }

    deinit { unsafe redisReaderFree(reader) }

    /// Appends bytes as they came from the socket.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(ProtocolViolation) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        // Unsafe: hiredis copies `count` bytes before it returns.
        let status = unsafe redisReaderFeed(reader, base.assumingMemoryBound(to: CChar.self), bytes.count)
        guard status == REDIS_OK else { throw violation() }
    }

    /// The next complete reply, or nil when more bytes are needed.
    package mutating func next() throws(ProtocolViolation) -> RedisReply? {
        guard let reply = try nextParsed() else { return nil }
        return reply.copied()
    }

    /// The same, not yet copied out of hiredis' hands.
    package mutating func nextParsed() throws(ProtocolViolation) -> ParsedReply? {
        var object: UnsafeMutableRawPointer?
        guard unsafe redisReaderGetReply(reader, &object) == REDIS_OK else { throw violation() }
        guard let object = unsafe object else { return nil }
        // Unsafe: with the default functions of hiredis the object is a redisReply that we own.
        return unsafe ParsedReply(owning: object)
    }

    private func violation() -> ProtocolViolation {
        // Unsafe: errstr is a NUL-terminated array inside the reader, which outlives this copy.
        unsafe ProtocolViolation(reason: String(cString: chiredis_reader_error(reader)))
    }
}

/// What came is not the Redis protocol. Nothing after it on the same connection can be trusted.
package struct ProtocolViolation: Error, Sendable, Hashable {
    package let reason: String
}
