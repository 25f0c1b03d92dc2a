import NIOCore

/// How the end of a body is found. Taken once from a message's fields and written anew for the next hop, so that both
/// sides see the same end (request smuggling, RFC 9112, section 11.2).
package enum BodyFraming: Sendable, Hashable {
    case none

    /// `Content-Length`, in bytes.
    case length(Int)
    case chunked

    /// Of an answer only: the body ends with the connection.
    case untilClose

    /// Most digits of a length: more than any body has, and less than overflows.
    private static let maximumDigits = 18

    /// What the fields say. What holds when they say nothing differs between requests and answers.
    ///
    /// - Returns: Nil when they say nothing.
    static func stated(_ fields: FieldSection, isHTTP10: Bool) throws(MessageProblem) -> BodyFraming? {
        var length: FieldLine?
        var coding: FieldLine?
        for line in fields.lines {
            switch line.kind {
            case .contentLength:
                guard length == nil else { throw .ambiguousFraming }
                length = line
            case .transferEncoding:
                guard coding == nil else { throw .ambiguousFraming }
                coding = line
            case .misspeltFraming: throw .ambiguousFraming
            default: break
            }
        }
        if let coding {
            // HTTP/1.0 knows no codings: a peer that speaks it may not see this field (RFC 9112, section 6.1).
            guard length == nil, !isHTTP10, fields.value(of: coding, is: "chunked") else { throw .ambiguousFraming }
            return .chunked
        }
        return try length.map { line throws(MessageProblem) in .length(try number(fields, line)) }
    }

    /// Only digits: `Int` would take a sign too.
    private static func number(_ fields: FieldSection, _ line: FieldLine) throws(MessageProblem) -> Int {
        let span = fields.bytes.readableBytesUInt8Span
        let range = line.value
        guard !range.isEmpty, range.count <= maximumDigits else { throw .ambiguousFraming }
        var number = 0
        for index in range {
            guard span[index].isDigit else { throw .ambiguousFraming }
            number = number * 10 + Int(span[index] - UInt8(ascii: "0"))
        }
        return number
    }
}
