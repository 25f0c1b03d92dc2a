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
        var object: UnsafeMutableRawPointer?
        guard unsafe redisReaderGetReply(reader, &object) == REDIS_OK else { throw violation() }
        guard let object = unsafe object else { return nil }
        // Unsafe: with the default functions of hiredis the object is a redisReply that we own and free once.
        defer { unsafe freeReplyObject(object) }
        return unsafe RedisReply(copying: object.assumingMemoryBound(to: redisReply.self).pointee)
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

extension RedisReply {
    /// Copies hiredis' tree. Recursion is bounded by ``ReplyReader/maximumDepth``.
    fileprivate init(copying reply: redisReply) {
        switch unsafe reply.type {
        case REDIS_REPLY_INTEGER: self = unsafe .integer(reply.integer)
        case REDIS_REPLY_STRING: self = unsafe .bytes([UInt8](reply.textBytes))
        case REDIS_REPLY_STATUS: self = unsafe .status(String(decoding: reply.textBytes, as: UTF8.self))
        case REDIS_REPLY_ERROR: self = unsafe .error(String(decoding: reply.textBytes, as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            self = .array(
                (0..<Int(unsafe reply.elements)).map { index in
                    guard let element = unsafe reply.element[index] else { return .null }
                    return unsafe RedisReply(copying: element.pointee)
                })
        default: self = .null
        }
    }
}

extension redisReply {
    /// Unsafe: `str` points to `len` bytes for as long as the reply lives.
    fileprivate var textBytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: str, count: Int(len))
    }
}
