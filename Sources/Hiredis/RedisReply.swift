/// One reply of the Redis protocol, version 2 (https://redis.io/docs/latest/develop/reference/protocol-spec/).
package enum RedisReply: Sendable, Hashable {
    /// `+OK`
    case status(String)
    /// `-NOSCRIPT No matching script…`. The first word is the error's kind.
    case error(String)
    case integer(Int64)
    /// A bulk string. Redis' strings are bytes.
    case bytes([UInt8])
    case null
    case array([RedisReply])
}

extension RedisReply {
    /// The text of a status or of a bulk string that is UTF-8.
    package var string: String? {
        switch self {
        case .status(let text): text
        case .bytes(let bytes): String(validating: bytes, as: UTF8.self)
        default: nil
        }
    }

    package var integer: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    package var array: [RedisReply]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// A map, as it is told in version 2: name, value, name, value, … Empty for anything else.
    package var fields: [String: RedisReply] {
        let elements = array ?? []
        var fields: [String: RedisReply] = [:]
        for index in stride(from: 0, to: elements.count - 1, by: 2) {
            if let name = elements[index].string { fields[name] = elements[index + 1] }
        }
        return fields
    }
}
