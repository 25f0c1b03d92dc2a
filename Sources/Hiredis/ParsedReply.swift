import CHiredis

/// A complete reply as hiredis has built it, to be read in the form that its receiver wants. It is freed with this
/// value.
@safe
package struct ParsedReply: ~Copyable {
    // Unsafe: handed over in init, freed once in deinit; the struct cannot be copied, so it has no other owner.
    private let object: UnsafeMutablePointer<redisReply>

    /// Unsafe: `object` is a redisReply without another owner.
    init(owning object: UnsafeMutableRawPointer) {
        unsafe self.object = unsafe object.assumingMemoryBound(to: redisReply.self)
    }

    deinit { unsafe freeReplyObject(object) }

    /// The whole reply, whatever it is.
    package func copied() -> RedisReply { unsafe RedisReply(copying: object.pointee) }

    /// The message of an error reply. Nil for every other.
    package var error: String? {
        guard unsafe object.pointee.type == REDIS_REPLY_ERROR else { return nil }
        return unsafe String(decoding: object.pointee.textBytes, as: UTF8.self)
    }

    /// The numbers of a flat array of at most ``IntegerReply/maximumCount`` integers, and the text behind them if there
    /// is one. Nil for every other reply.
    package var integers: IntegerReply? {
        var count = Int(unsafe object.pointee.elements)
        guard unsafe object.pointee.type == REDIS_REPLY_ARRAY, count <= IntegerReply.maximumCount + 1 else {
            return nil
        }
        var text: String?
        // Unsafe: an array of hiredis has `elements` elements.
        if count > 0, let last = unsafe object.pointee.element[count - 1],
            unsafe last.pointee.type == REDIS_REPLY_STRING
        {
            text = unsafe String(decoding: last.pointee.textBytes, as: UTF8.self)
            count -= 1
        }
        guard count <= IntegerReply.maximumCount else { return nil }
        var numbers = SIMD16<Int64>.zero
        for index in 0..<count {
            // Unsafe: an array of hiredis has `elements` elements.
            guard let element = unsafe object.pointee.element[index],
                unsafe element.pointee.type == REDIS_REPLY_INTEGER
            else { return nil }
            numbers[index] = unsafe element.pointee.integer
        }
        return IntegerReply(numbers, count: count, text: text)
    }
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
