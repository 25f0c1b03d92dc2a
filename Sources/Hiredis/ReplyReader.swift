import CHiredis

/// Takes bytes off the wire in any portions and gives complete replies: hiredis' `redisReader`.
///
/// Not thread-safe, like the reader it owns. After it has thrown it is of no further use: the stream is out of step
/// and hiredis answers every later call with the same error.
@safe
package struct ReplyReader: ~Copyable {
    /// hiredis gives up on arrays nested deeper than this.
    package static let maximumDepth = 7

    /// Elements of one array. hiredis makes room for as many as an array says that it has, before any of them is there:
    /// 16 GB for one that says two milliards.
    package static let maximumElementCount = 1 << 20

    /// Bytes of a reply that is not complete yet.
    package static let maximumPendingBytes = 64 << 20

    // Unsafe: made in init, freed once in deinit; the struct cannot be copied, so it has no other owner.
    private let reader: UnsafeMutablePointer<redisReader>

    package init() {
        guard let reader = unsafe redisReaderCreate() else { fatalError("hiredis: out of memory") }
        unsafe reader.pointee.fn = unsafe Self.boundedFunctions
        unsafe self.reader = unsafe reader
    }

    deinit { unsafe redisReaderFree(reader) }

    /// Appends bytes as they came from the socket.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(ProtocolViolation) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        // Unsafe: hiredis copies `count` bytes before it returns.
        let status = unsafe redisReaderFeed(reader, base.assumingMemoryBound(to: CChar.self), bytes.count)
        guard status == REDIS_OK else { throw violation() }
        let pending = unsafe Int(reader.pointee.len) - Int(reader.pointee.pos)
        guard pending <= Self.maximumPendingBytes else {
            throw ProtocolViolation(reason: "a reply of more than \(Self.maximumPendingBytes) bytes")
        }
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

    /// How hiredis makes objects by itself.
    private static let standardFunctions: redisReplyObjectFunctions = {
        guard let reader = unsafe redisReaderCreate() else { fatalError("hiredis: out of memory") }
        // Unsafe: the functions are copied, and outlive every reader.
        defer { unsafe redisReaderFree(reader) }
        return unsafe reader.pointee.fn.pointee
    }()

    /// The same, but for arrays that are too long. hiredis gives such a reply up as it does when memory is short.
    ///
    /// Unsafe: written once, before it is shared, and never freed; hiredis only reads it.
    private nonisolated(unsafe) static let boundedFunctions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        unsafe functions.initialize(to: standardFunctions)
        unsafe functions.pointee.createArray = { task, count in
            guard (0...Self.maximumElementCount).contains(Int(count)) else { return nil }
            return unsafe Self.standardFunctions.createArray(task, count)
        }
        return unsafe functions
    }()

    private func violation() -> ProtocolViolation {
        // Unsafe: errstr is a NUL-terminated array inside the reader, which outlives this copy.
        unsafe ProtocolViolation(reason: String(cString: chiredis_reader_error(reader)))
    }
}

/// What came is not the Redis protocol. Nothing after it on the same connection can be trusted.
package struct ProtocolViolation: Error, Sendable, Hashable {
    package let reason: String
}
